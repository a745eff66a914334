using Grpc.Core;
using VmoCluster.Client;
using VmoCluster.Messages;

namespace VmoCluster.GrpcDoor;

/// <summary>VMOs and their contents over gRPC: each call is one message of the co-hosted silo's transport.</summary>
internal sealed class VmosDoor(DoorCalls calls, ITransport transport, RangeStreams ranges, SessionStream sessions) : V1.Vmos.VmosBase
{
    public override Task<V1.CreateResponse> Create(V1.CreateRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Create, context, async (caller, stop) =>
        {
            var secret = WireRequests.NewSecret(request.NewSecret, request.Head);
            var reply = await transport.CreateAsync(
                new()
                {
                    Head = WireRequests.HeadWithoutHandle(request.Head, secret, caller, context),
                    Size = request.Size,
                    Options = (VmoOptions)request.Options,
                    Name = request.Name,
                    Labels = request.Labels.Count > 0 ? new(request.Labels) : null,
                    Confirmed = request.Confirmed,
                },
                stop);
            reply.Outcome.ThrowIfFailed();
            return new V1.CreateResponse
            {
                Handle = new VmoHandle(reply.Koid, secret).Reveal(),
                Koid = reply.Koid.Value,
                Size = reply.Size,
                Rights = (uint)reply.Rights,
            };
        });

    public override Task<V1.ReadResponse> Read(V1.ReadRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Read, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(request.Head, caller, context, out var koid);
            return WireResponses.Read(await transport.ReadAsync(koid, new() { Head = head, Items = WireRequests.Items(request) }, stop));
        }, WireRequests.Load(request));

    public override Task<V1.ReadPieceResponse> ReadPiece(V1.ReadPieceRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.ReadPiece, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(request.Head, caller, context, out var koid);
            var piece = new ReadPieceCall { Head = head, Whole = WireRequests.Whole(request), Piece = (int)request.Piece };
            return WireResponses.ReadPiece(await transport.ReadPieceAsync(koid, piece, stop));
        }, WireRequests.Load(request.Head, 1, Limits.MessageBytesMax));

    public override Task ReadRange(V1.ReadRangeRequest request, IServerStreamWriter<V1.ReadRangeResponse> responseStream, ServerCallContext context) =>
        calls.RunAsync(DoorCall.ReadRange, context, (caller, stop) => ranges.ReadAsync(request, responseStream, caller, stop));

    public override Task<V1.WriteResponse> Write(V1.WriteRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Write, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(request.Head, caller, context, out var koid);
            var writes = new WriteCalls { Head = head, Items = WireRequests.Items(request), Data = WireReplies.Bytes(request.Data) };
            return WireResponses.Write(await transport.WriteAsync(koid, writes, stop));
        }, WireRequests.Load(request.Head, request.Items.Count, request.Data.Length));

    public override Task<V1.WritePieceResponse> WritePiece(V1.WritePieceRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.WritePiece, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(request.Head, caller, context, out var koid);
            var data = WireRequests.Piece(request);
            var piece = new WritePieceCall { Head = head, Offset = request.Offset, Length = (int)request.Length, Piece = (int)request.Piece, Data = data };
            return WireResponses.WritePiece(await transport.WritePieceAsync(koid, piece, stop));
        }, WireRequests.Load(request.Head, 1, request.Data.Length));

    public override Task<V1.WriteRangeResponse> WriteRange(IAsyncStreamReader<V1.WriteRangeRequest> requestStream, ServerCallContext context) =>
        calls.RunAsync(DoorCall.WriteRange, context, (caller, stop) => ranges.WriteAsync(requestStream, caller, stop));

    public override Task<V1.GetSizeResponse> GetSize(V1.GetSizeRequest request, ServerCallContext context) =>
        AskAsync(DoorCall.GetSize, request.Head, context, static (_, head) => new GetSizeCall(head), request,
            static reply => new V1.GetSizeResponse { Size = reply.Number, Version = reply.Version });

    public override Task<V1.SetSizeResponse> SetSize(V1.SetSizeRequest request, ServerCallContext context) =>
        AskAsync(DoorCall.SetSize, request.Head, context, static (r, head) => new SetSizeCall(head, r.Size), request,
            static reply => new V1.SetSizeResponse { Version = reply.Version });

    public override Task<V1.OpRangeResponse> OpRange(V1.OpRangeRequest request, ServerCallContext context) =>
        AskAsync(DoorCall.OpRange, request.Head, context,
            static (r, head) => new OpRangeCall(head, (VmoOp)r.Op, WireRequests.Range(r.Range) ?? default), request, WireResponses.OpRange);

    public override Task<V1.GetNameResponse> GetName(V1.GetNameRequest request, ServerCallContext context) =>
        AskAsync(DoorCall.GetName, request.Head, context, static (_, head) => new GetNameCall(head), request,
            static reply => new V1.GetNameResponse { Name = reply.Name ?? "" });

    public override Task<V1.SetNameResponse> SetName(V1.SetNameRequest request, ServerCallContext context) =>
        AskAsync(DoorCall.SetName, request.Head, context, static (r, head) => new SetNameCall(head, r.Name), request,
            static reply => new V1.SetNameResponse { Version = reply.Version });

    public override Task<V1.GetContentSizeResponse> GetContentSize(V1.GetContentSizeRequest request, ServerCallContext context) =>
        AskAsync(DoorCall.GetContentSize, request.Head, context, static (_, head) => new GetContentSizeCall(head), request,
            static reply => new V1.GetContentSizeResponse { Size = reply.Number, Version = reply.Version });

    public override Task<V1.SetContentSizeResponse> SetContentSize(V1.SetContentSizeRequest request, ServerCallContext context) =>
        AskAsync(DoorCall.SetContentSize, request.Head, context, static (r, head) => new SetContentSizeCall(head, r.Size), request,
            static reply => new V1.SetContentSizeResponse { Version = reply.Version });

    public override Task<V1.GetInfoResponse> GetInfo(V1.GetInfoRequest request, ServerCallContext context) =>
        AskAsync(DoorCall.GetInfo, request.Head, context,
            static (r, head) => new InfoCall(head, (InfoTopic)(int)Math.Min(r.Topic, int.MaxValue)), request, WireResponses.GetInfo);

    public override Task<V1.SignalResponse> Signal(V1.SignalRequest request, ServerCallContext context) =>
        AskAsync(DoorCall.Signal, request.Head, context,
            static (r, head) => new SignalCall(head, (VmoSignals)r.Clear, (VmoSignals)r.Set), request,
            static reply => new V1.SignalResponse { Signals = (uint)reply.Signals });

    public override Task<V1.WaitResponse> Wait(V1.WaitRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Wait, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(request.Head, caller, context, out var koid);
            var reply = await transport.CallAsync(koid, new WaitCall(head, (VmoSignals)request.Mask, WireRequests.PollMs(request.PollMs)), stop);

            // Nothing seen in time is an answer like any other.
            var isTimedOut = reply.Outcome.Status == VmoStatus.TimedOut;
            if (!isTimedOut)
                reply.Outcome.ThrowIfFailed();
            return new V1.WaitResponse { IsTimedOut = isTimedOut, Signals = (uint)reply.Signals };
        });

    public override Task<V1.CloneResponse> Clone(V1.CloneRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Clone, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(request.Head, caller, context, out var koid);
            var specs = WireRequests.Specs(request);
            var seed = WireRequests.NewSecret(request.Seed, request.Head, "seed");
            var reply = await transport.CallAsync(koid, new CloneCall(head, specs, (int)request.Count, seed, request.Confirmed), stop);
            reply.Outcome.ThrowIfFailed();
            return WireResponses.Clone(reply, seed, request.WithoutHandles ? 0 : (int)request.Count);
        });

    public override Task<V1.TreeResponse> Tree(V1.TreeRequest request, ServerCallContext context) =>
        AskAsync(DoorCall.Tree, request.Head, context, static (r, head) => new TreeCall(head, new(r.After)), request, WireResponses.Tree);

    public override Task<V1.ExplainResponse> Explain(V1.ExplainRequest request, ServerCallContext context) =>
        AskAsync(DoorCall.Explain, request.Head, context, static (r, head) => new ExplainCall(head, r.Page), request, WireResponses.Explain);

    public override Task<V1.ScrubResponse> Scrub(V1.ScrubRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Scrub, context, async (caller, stop) =>
        {
            // The message names a family by its koid, which opens nothing: here it takes the operator, whatever is asked.
            if (!caller.IsOperator)
                throw new VmoException(VmoStatus.AccessDenied, "the operator's credential is needed");
            var reply = await transport.ScrubAsync(
                new() { Caller = caller, Family = new(request.Family), After = new(request.After), Bytes = request.Bytes }, stop);
            reply.Outcome.ThrowIfFailed();
            return WireResponses.Scrub(reply);
        });

    public override Task<V1.ListResponse> List(V1.ListRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.List, context, async (caller, stop) =>
        {
            WireRequests.CheckMost(request.Most, 1000, "VMOs in one answer");
            var reply = await transport.ListAsync(
                new()
                {
                    Caller = caller,
                    LabelKey = NullIfEmpty(request.LabelKey),
                    LabelValue = request.LabelKey.Length == 0 ? null : request.LabelValue,
                    NameGlob = NullIfEmpty(request.NameGlob),
                    After = new(request.After),
                    Most = request.Most == 0 ? 1000 : (int)request.Most,
                },
                stop);
            reply.Outcome.ThrowIfFailed();
            return WireResponses.List(reply);
        });

    public override Task<V1.GetServerVersionResponse> GetServerVersion(V1.GetServerVersionRequest request, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Version, context, async (_, stop) =>
            new V1.GetServerVersionResponse { Version = await transport.ServerVersionAsync(stop) });

    public override Task Session(
        IAsyncStreamReader<V1.SessionRequest> requestStream, IServerStreamWriter<V1.SessionResponse> responseStream, ServerCallContext context) =>
        calls.RunAsync(DoorCall.Session, context, (caller, stop) => sessions.RunAsync(requestStream, responseStream, caller, stop));

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;

    private Task<TResponse> AskAsync<TRequest, TResponse>(
        DoorCall call, V1.CallHead? given, ServerCallContext context, Func<TRequest, CallHead, VmoCall> make, TRequest request, Func<VmoReply, TResponse> answer) =>
        calls.RunAsync(call, context, async (caller, stop) =>
        {
            var head = WireRequests.Head(given, caller, context, out var koid);
            var reply = await transport.CallAsync(koid, make(request, head), stop);
            reply.Outcome.ThrowIfFailed();
            return answer(reply);
        });
}
