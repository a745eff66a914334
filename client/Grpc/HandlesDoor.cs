using Grpc.Core;
using VmoCluster.Client;
using VmoCluster.Messages;

namespace VmoCluster.GrpcDoor;

/// <summary>Handles over gRPC.</summary>
internal sealed class HandlesDoor(DoorCalls calls, ITransport transport, DoorClient client) : V1.Handles.HandlesBase
{
    private const int ClosesInFlight = 16;

    public override Task<V1.DuplicateResponse> Duplicate(V1.DuplicateRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Duplicate, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(request.Head, caller, context, out var koid);
            var secret = WireRequests.NewSecret(request.NewSecret, request.Head);
            var call = new DuplicateCall(head, secret, (VmoRights)request.Rights, request.ExpiresMs, WireRequests.Range(request.Range));
            var reply = await AskAsync(koid, call, stop);
            return new V1.DuplicateResponse { Handle = new VmoHandle(koid, secret).Reveal(), Rights = (uint)reply.Rights };
        });

    public override Task<V1.ReplaceResponse> Replace(V1.ReplaceRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Replace, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(request.Head, caller, context, out var koid);
            var secret = WireRequests.NewSecret(request.NewSecret, request.Head);
            var reply = await AskAsync(koid, new ReplaceCall(head, secret, (VmoRights)request.Rights), stop);
            return new V1.ReplaceResponse { Handle = new VmoHandle(koid, secret).Reveal(), Rights = (uint)reply.Rights };
        });

    public override Task<V1.CloseResponse> Close(V1.CloseRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Close, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(request.Head, caller, context, out var koid);
            await AskAsync(koid, new CloseCall(head), stop);
            return new V1.CloseResponse();
        });

    public override Task<V1.CloseManyResponse> CloseMany(V1.CloseManyRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.CloseMany, context, async (caller, stop) =>
        {
            WireRequests.CheckMost((ulong)request.Handles.Count, Limits.CloseManyMax, "handles to close at once");
            var outcomes = new V1.Outcome[request.Handles.Count];
            await Parallel.ForEachAsync(
                Enumerable.Range(0, outcomes.Length),
                new ParallelOptions { MaxDegreeOfParallelism = ClosesInFlight, CancellationToken = stop },
                async (i, one) => outcomes[i] = WireResponses.Outcome(await CloseAsync(request.Handles[i], caller, one)));
            return new V1.CloseManyResponse { Outcomes = { outcomes } };
        });

    public override Task<V1.RevokeResponse> Revoke(V1.RevokeRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Revoke, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(request.Head, caller, context, out var koid);
            await AskAsync(koid, new RevokeCall(head), stop);
            return new V1.RevokeResponse();
        });

    public override Task<V1.RenewResponse> Renew(V1.RenewRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Renew, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(request.Head, caller, context, out var koid);
            var reply = await AskAsync(koid, new RenewCall(head, request.ExpiresMs), stop);
            return new V1.RenewResponse { ExpiresMs = (long)reply.Number };
        });

    public override Task<V1.ConfirmResponse> Confirm(V1.ConfirmRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Confirm, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(request.Head, caller, context, out var koid);
            await AskAsync(koid, new ConfirmCall(head), stop);
            return new V1.ConfirmResponse();
        });

    public override Task<V1.OperatorHandleResponse> OperatorHandle(V1.OperatorHandleRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.OperatorHandle, context, async (caller, stop) =>
        {
            // The VMO checks it again; here it keeps what nobody but the operator may ask from travelling at all.
            if (!caller.IsOperator)
                throw new VmoException(VmoStatus.AccessDenied, "the operator's credential is needed");
            var secret = WireRequests.NewSecret(request.NewSecret, request.Head);
            var head = WireRequests.HeadWithoutHandle(request.Head, default, caller, context);
            var koid = new Koid(request.Koid);
            var reply = await AskAsync(koid, new OperatorHandleCall(head, secret), stop);
            return new V1.OperatorHandleResponse { Handle = new VmoHandle(koid, secret).Reveal(), Rights = (uint)reply.Rights };
        });

    private async ValueTask<VmoReply> AskAsync(Koid koid, VmoCall call, CancellationToken cancellation)
    {
        var reply = await transport.CallAsync(koid, call, cancellation);
        reply.Outcome.ThrowIfFailed();
        return reply;
    }

    private async Task<Outcome> CloseAsync(string handle, Caller caller, CancellationToken cancellation)
    {
        try
        {
            await client.Open(VmoHandle.Parse(handle), caller).CloseAsync(cancellation);
            return Outcome.Ok;
        }
        catch (VmoException refused)
        {
            return Outcome.Of(refused);
        }
    }
}
