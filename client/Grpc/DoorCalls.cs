using Grpc.Core;
using Microsoft.Extensions.Logging;
using VmoCluster.Client;

namespace VmoCluster.GrpcDoor;

/// <summary>What every call through the door passes: the caller's proof, the limits, a span, and the one place where refusals become gRPC's.</summary>
internal sealed partial class DoorCalls(ICallerSource callers, CallGate gate, ILogger<DoorCalls> log)
{
    /// <summary>Runs one call for its caller.</summary>
    public async Task<TResponse> RunAsync<TResponse>(
        DoorCall call, ServerCallContext context, Func<Caller, CancellationToken, ValueTask<TResponse>> run)
    {
        var http = context.GetHttpContext();
        var connection = http.Connection.Id;
        var span = DoorTelemetry.Start(call, http);
        var (status, isInside) = (VmoStatus.Internal, false);
        try
        {
            var proof = callers.Prove(http);
            proof.Outcome.ThrowIfFailed();
            gate.TryEnter(connection).ThrowIfFailed();
            isInside = true;
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
            if (isInside)
                gate.Leave(connection);
            DoorTelemetry.End(call, span, status);
        }
    }

    [LoggerMessage(1, LogLevel.Critical, "A call through the gRPC door failed by our fault: {Call}")]
    private partial void LogBug(Exception bug, string call);
}
