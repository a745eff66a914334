using Grpc.Core;
using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>
/// The way over gRPC. Of several endpoints the first that is not resting is used; one that did not answer rests, longer each time, and
/// is tried again afterwards. A lost connection is Io.
/// </summary>
internal sealed class GrpcTransport : ITransport
{
    // An attempt given up earlier says nothing about the endpoint; one given up later does.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private readonly GrpcEndpoint[] _endpoints;
    private readonly Metadata? _metadata;
    private readonly TimeProvider _time;
    private volatile bool _hasAnswered;

    private delegate AsyncUnaryCall<TResponse> Send<TRequest, TResponse>(GrpcEndpoint.Stubs stubs, TRequest request, CallOptions options);

    public GrpcTransport(VmoClientOptions options)
    {
        if (options.Endpoints.Count == 0)
            throw new VmoException(VmoStatus.InvalidArgs, "no endpoint is given");
        _time = options.TimeProvider;
        _endpoints = [.. options.Endpoints.Select(address => new GrpcEndpoint(address, options.ConnectionsPerEndpoint, _time))];
        if (options.OperatorToken is { } token)
            _metadata = new() { { "authorization", "Bearer " + token } };
    }

    public bool HasAnswered => _hasAnswered;

    public ValueTask<CreateReply> CreateAsync(CreateCall call, CancellationToken cancellation) => UnaryAsync(
        static (stubs, request, options) => stubs.Vmos.CreateAsync(request, options),
        WireCalls.Create(call), WireReplies.Create, static outcome => new CreateReply { Outcome = outcome }, cancellation);

    public ValueTask<ReadReplies> ReadAsync(Koid koid, ReadCalls reads, CancellationToken cancellation)
    {
        var items = reads.Items.Length;
        return UnaryAsync(
            static (stubs, request, options) => stubs.Vmos.ReadAsync(request, options),
            WireCalls.Read(koid, reads), WireReplies.Read, outcome => ReadReplies.Fail(outcome, items), cancellation);
    }

    public ValueTask<ReadReplies> ReadPieceAsync(Koid koid, ReadPieceCall piece, CancellationToken cancellation) => UnaryAsync(
        static (stubs, request, options) => stubs.Vmos.ReadPieceAsync(request, options),
        WireCalls.ReadPiece(koid, piece), WireReplies.ReadPiece, static outcome => ReadReplies.Fail(outcome, 1), cancellation);

    public ValueTask<WriteReplies> WriteAsync(Koid koid, WriteCalls writes, CancellationToken cancellation)
    {
        var items = writes.Items.Length;
        return UnaryAsync(
            static (stubs, request, options) => stubs.Vmos.WriteAsync(request, options),
            WireCalls.Write(koid, writes), WireReplies.Write, outcome => WriteReplies.Fail(outcome, items), cancellation);
    }

    public ValueTask<WriteReplies> WritePieceAsync(Koid koid, WritePieceCall piece, CancellationToken cancellation) => UnaryAsync(
        static (stubs, request, options) => stubs.Vmos.WritePieceAsync(request, options),
        WireCalls.WritePiece(koid, piece), WireReplies.WritePiece, static outcome => WriteReplies.Fail(outcome, 1), cancellation);

    public ValueTask<ListReply> ListAsync(ListCall list, CancellationToken cancellation) => UnaryAsync(
        static (stubs, request, options) => stubs.Vmos.ListAsync(request, options),
        WireCalls.List(list), WireReplies.List, static outcome => new ListReply { Outcome = outcome }, cancellation);

    public ValueTask<ScrubReply> ScrubAsync(ScrubCall call, CancellationToken cancellation) => UnaryAsync(
        static (stubs, request, options) => stubs.Vmos.ScrubAsync(request, options),
        WireCalls.Scrub(call), WireReplies.Scrub, static outcome => new ScrubReply { Outcome = outcome }, cancellation);

    public async ValueTask<string> ServerVersionAsync(CancellationToken cancellation)
    {
        var (outcome, version) = await UnaryAsync(
            static (stubs, request, options) => stubs.Vmos.GetServerVersionAsync(request, options),
            new V1.GetServerVersionRequest(), static response => (Outcome.Ok, response.Version), static outcome => (outcome, ""),
            cancellation).ConfigureAwait(false);
        outcome.ThrowIfFailed();
        return version;
    }

    public ValueTask<VmoReply> CallAsync(Koid koid, VmoCall call, CancellationToken cancellation)
    {
        var head = WireCalls.Head(koid, call.Head);
        return call switch
        {
            GetSizeCall => AskAsync(static (s, r, o) => s.Vmos.GetSizeAsync(r, o), new V1.GetSizeRequest { Head = head }, WireReplies.GetSize, cancellation),
            SetSizeCall c => AskAsync(static (s, r, o) => s.Vmos.SetSizeAsync(r, o), new V1.SetSizeRequest { Head = head, Size = c.Size }, WireReplies.SetSize, cancellation),
            OpRangeCall c => AskAsync(static (s, r, o) => s.Vmos.OpRangeAsync(r, o), WireCalls.OpRange(head, c), WireReplies.OpRange, cancellation),
            GetNameCall => AskAsync(static (s, r, o) => s.Vmos.GetNameAsync(r, o), new V1.GetNameRequest { Head = head }, WireReplies.GetName, cancellation),
            SetNameCall c => AskAsync(static (s, r, o) => s.Vmos.SetNameAsync(r, o), new V1.SetNameRequest { Head = head, Name = c.Name }, WireReplies.SetName, cancellation),
            GetContentSizeCall => AskAsync(static (s, r, o) => s.Vmos.GetContentSizeAsync(r, o), new V1.GetContentSizeRequest { Head = head }, WireReplies.GetContentSize, cancellation),
            SetContentSizeCall c => AskAsync(static (s, r, o) => s.Vmos.SetContentSizeAsync(r, o), new V1.SetContentSizeRequest { Head = head, Size = c.Size }, WireReplies.SetContentSize, cancellation),
            InfoCall c => AskAsync(static (s, r, o) => s.Vmos.GetInfoAsync(r, o), new V1.GetInfoRequest { Head = head, Topic = (uint)c.Topic }, WireReplies.GetInfo, cancellation),
            SignalCall c => AskAsync(static (s, r, o) => s.Vmos.SignalAsync(r, o), new V1.SignalRequest { Head = head, Clear = (uint)c.Clear, Set = (uint)c.Set }, WireReplies.Signal, cancellation),
            WaitCall c => AskAsync(static (s, r, o) => s.Vmos.WaitAsync(r, o), new V1.WaitRequest { Head = head, Mask = (uint)c.Mask, PollMs = (uint)c.PollMs }, WireReplies.Wait, cancellation, c.PollMs),
            CloneCall c => AskAsync(static (s, r, o) => s.Vmos.CloneAsync(r, o), WireCalls.Clone(head, c), WireReplies.Clone, cancellation),
            TreeCall c => AskAsync(static (s, r, o) => s.Vmos.TreeAsync(r, o), new V1.TreeRequest { Head = head, After = c.After.Value }, WireReplies.Tree, cancellation),
            ExplainCall c => AskAsync(static (s, r, o) => s.Vmos.ExplainAsync(r, o), new V1.ExplainRequest { Head = head, Page = c.Page }, WireReplies.Explain, cancellation),
            DuplicateCall c => AskAsync(static (s, r, o) => s.Handles.DuplicateAsync(r, o), WireCalls.Duplicate(head, c), WireReplies.Duplicate, cancellation),
            ReplaceCall c => AskAsync(static (s, r, o) => s.Handles.ReplaceAsync(r, o), new V1.ReplaceRequest { Head = head, Rights = (uint)c.Rights, NewSecret = WireCalls.Secret(c.NewSecret) }, WireReplies.Replace, cancellation),
            CloseCall => AskAsync(static (s, r, o) => s.Handles.CloseAsync(r, o), new V1.CloseRequest { Head = head }, static _ => VmoReply.Ok, cancellation),
            RevokeCall => AskAsync(static (s, r, o) => s.Handles.RevokeAsync(r, o), new V1.RevokeRequest { Head = head }, static _ => VmoReply.Ok, cancellation),
            RenewCall c => AskAsync(static (s, r, o) => s.Handles.RenewAsync(r, o), new V1.RenewRequest { Head = head, ExpiresMs = c.ExpiresMs }, WireReplies.Renew, cancellation),
            ConfirmCall => AskAsync(static (s, r, o) => s.Handles.ConfirmAsync(r, o), new V1.ConfirmRequest { Head = head }, static _ => VmoReply.Ok, cancellation),
            OperatorHandleCall c => AskAsync(static (s, r, o) => s.Handles.OperatorHandleAsync(r, o), WireCalls.OperatorHandle(koid, c), WireReplies.OperatorHandle, cancellation),
            _ => ValueTask.FromResult(VmoReply.Fail(VmoStatus.NotSupported, $"{call.GetType().Name} does not go over gRPC")),
        };
    }

    public ValueTask DisposeAsync()
    {
        foreach (var endpoint in _endpoints)
            endpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private ValueTask<VmoReply> AskAsync<TRequest, TResponse>(
        Send<TRequest, TResponse> send, TRequest request, Func<TResponse, VmoReply> read, CancellationToken cancellation, int staysMs = 0) =>
        UnaryAsync(send, request, read, static outcome => new VmoReply { Outcome = outcome }, cancellation, staysMs);

    private async ValueTask<TReply> UnaryAsync<TRequest, TResponse, TReply>(
        Send<TRequest, TResponse> send, TRequest request, Func<TResponse, TReply> read, Func<Outcome, TReply> refuse,
        CancellationToken cancellation, int staysMs = 0)
    {
        var endpoint = Pick();
        var started = _time.GetTimestamp();
        try
        {
            using var call = send(endpoint.Next(), request, new CallOptions(_metadata, cancellationToken: cancellation));
            var response = await call.ResponseAsync.ConfigureAwait(false);
            Answered(endpoint);
            return read(response);
        }
        catch (Exception) when (cancellation.IsCancellationRequested)
        {
            if (_time.GetElapsedTime(started) > Patience + TimeSpan.FromMilliseconds(staysMs))
                endpoint.Failed();
            throw new OperationCanceledException(cancellation);
        }
        catch (RpcException error) when (RpcStatus.TryRead(error, out _))
        {
            Answered(endpoint);
            RpcStatus.TryRead(error, out var outcome);
            return refuse(outcome);
        }
        catch (RpcException error) when (RpcStatus.OfForeign(error.StatusCode) is not null)
        {
            Answered(endpoint);
            return refuse(new(RpcStatus.OfForeign(error.StatusCode)!.Value, $"{endpoint.Address.Authority}: {error.Status.Detail}"));
        }
        catch (RpcException error)
        {
            endpoint.Failed();
            return refuse(new(VmoStatus.Io, $"{endpoint.Address.Authority} did not answer: {error.StatusCode}: {Cause(error)}"));
        }
        catch (ObjectDisposedException)
        {
            return refuse(new(VmoStatus.Io, "the connection is closed"));
        }
    }

    private void Answered(GrpcEndpoint endpoint)
    {
        if (!_hasAnswered)
            _hasAnswered = true;
        endpoint.Answered();
    }

    // The first that is not resting; where all rest, the one that has rested most.
    private GrpcEndpoint Pick()
    {
        if (_endpoints.Length == 1)
            return _endpoints[0];
        var (now, best) = (_time.GetTimestamp(), _endpoints[0]);
        foreach (var endpoint in _endpoints)
        {
            if (endpoint.RestUntil <= now)
                return endpoint;
            if (endpoint.RestUntil < best.RestUntil)
                best = endpoint;
        }

        return best;
    }

    private static string Cause(RpcException error)
    {
        Exception deepest = error;
        while (Inner(deepest) is { } inner)
            deepest = inner;
        return deepest is RpcException rpc ? rpc.Status.Detail : deepest.Message;
    }

    private static Exception? Inner(Exception error) => (error as RpcException)?.Status.DebugException ?? error.InnerException;
}
