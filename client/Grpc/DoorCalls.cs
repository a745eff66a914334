using Grpc.Core;
using Microsoft.Extensions.Logging;
using VmoCluster.Client;

namespace VmoCluster.GrpcDoor;

/// <summary>What every call through the door passes: the caller's proof, room for its bytes, a span, and the one place where refusals become gRPC's.</summary>
internal sealed partial class DoorCalls(ICallerSource callers, CallGate gate, ILogger<DoorCalls> log)
{
    /// <summary>Runs one call for its caller.</summary>
    /// <param name="call">Which one.</param>
    /// <param name="context">gRPC's.</param>
    /// <param name="run">What to do.</param>
    /// <param name="more">What it is beyond one call: joined ones, bytes of pages in its message or in its answer.</param>
    public async Task<TResponse> RunAsync<TResponse>(
        DoorCall call, ServerCallContext context, Func<Caller, CancellationToken, ValueTask<TResponse>> run, CallLoad more = default)
    {
        var http = context.GetHttpContext();
        var span = DoorTelemetry.Start(call, http);
        var status = VmoStatus.Internal;
        more = more with { Bytes = more.Bytes + call.Bytes };
        var isTaken = false;
        try
        {
            var proof = callers.Prove(http);
            proof.Outcome.ThrowIfFailed();
            if (more.Bytes > 0)
                gate.Take(more);
            isTaken = more.Bytes > 0;
            var response = await run(proof.Caller, context.CancellationToken);
            status = VmoStatus.Ok;
            return response;
        }
        catch (RefusedRangeException refused)
        {
            status = refused.Outcome.Status;
            throw RpcStatus.ToException(refused.Outcome, refused.Written);
        }
        catch (VmoException refused)
        {
            status = refused.Status;
            throw RpcStatus.ToException(Outcome.Of(refused));
        }
        catch (Exception) when (context.CancellationToken.IsCancellationRequested)
        {
            // Gone, or past its gRPC deadline: the answer reaches nobody.
            status = VmoStatus.Canceled;
            throw RpcStatus.ToException(new(VmoStatus.Canceled, "the caller gave up"));
        }
        catch (OperationCanceledException)
        {
            status = VmoStatus.Io;
            throw RpcStatus.ToException(new(VmoStatus.Io, "the call was given up inside the cluster"));
        }
        catch (Exception bug)
        {
            // The edge: what is wrong with us goes to our log, and the caller is told no more than that.
            LogBug(bug, call.Name);
            throw RpcStatus.ToException(new(VmoStatus.Internal, $"{call.Name} failed; the server's log says more"));
        }
        finally
        {
            if (isTaken)
                gate.GiveBack(more);
            DoorTelemetry.End(call, span, status);
        }
    }

    [LoggerMessage(1, LogLevel.Critical, "A call through the gRPC door failed by our fault: {Call}")]
    private partial void LogBug(Exception bug, string call);
}
