using System.Diagnostics;
using System.Globalization;
using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;

namespace VmoCluster.Chaos.Overload;

/// <summary>Calls over gRPC as anybody can make them: one attempt each, and whoever is refused is refused.</summary>
internal sealed class PlainCalls : ICalls
{
    /// <summary>Calls of one message, as a client joins them: a machine that is client and cluster at once cannot carry so many messages.</summary>
    public const int Joined = 16;

    private const int ConnectionsPerSilo = 4;
    private static readonly ByteString Pages = UnsafeByteOperations.UnsafeWrap(ProductCalls.Noise(Joined * Limits.PageBytes));

    private readonly List<GrpcChannel> _channels = [];
    private readonly V1.Vmos.VmosClient[] _stubs;
    private readonly string[] _handles;
    private readonly TimeSpan _deadline;
    private int _turn;

    public PlainCalls(IReadOnlyList<Uri> endpoints, IReadOnlyList<VmoHandle> handles, TimeSpan deadline)
    {
        (_handles, _deadline) = ([.. handles.Select(handle => handle.Reveal())], deadline);
        for (var i = 0; i < ConnectionsPerSilo; i++)
        {
            foreach (var endpoint in endpoints)
                _channels.Add(GrpcChannel.ForAddress(endpoint, new() { HttpHandler = new SocketsHttpHandler { UseProxy = false, EnableMultipleHttp2Connections = true } }));
        }

        _stubs = [.. _channels.Select(channel => new V1.Vmos.VmosClient(channel))];
    }

    public int AtOnce => Joined;

    public async Task<int> CallAsync(int vmo, int page, bool isWrite, Tally tally)
    {
        var began = Stopwatch.GetTimestamp();
        var head = new V1.CallHead { Handle = _handles[vmo], DeadlineMs = (uint)_deadline.TotalMilliseconds };
        var stubs = _stubs[(uint)Interlocked.Increment(ref _turn) % (uint)_stubs.Length];
        var options = new CallOptions(deadline: DateTime.UtcNow + _deadline);
        var offsets = Enumerable.Range(page, Joined).Select(one => (ulong)(one % OverloadedCluster.PagesPerVmo) * Limits.PageBytes);
        Task ended = isWrite
            ? stubs.WriteAsync(new() { Head = head, Items = { offsets.Select(at => new V1.WriteItem { Offset = at, Length = Limits.PageBytes }) }, Data = Pages }, options).ResponseAsync
            : stubs.ReadAsync(new() { Head = head, Items = { offsets.Select(at => new V1.ReadItem { Offset = at, Length = Limits.PageBytes }) } }, options).ResponseAsync;

        // Not thrown: most of them are refused, and an exception costs more than a call.
        await ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (ended.IsCompletedSuccessfully)
        {
            tally.Add(began, Ending.Ok, Joined);
            return 0;
        }

        var error = ended.Exception?.InnerException as RpcException;
        var info = error?.StatusCode == StatusCode.Unavailable ? error.GetRpcStatus()?.GetDetail<ErrorInfo>() : null;
        var hint = info is null ? 0 : int.Parse(info.Metadata.GetValueOrDefault("retry_after_ms", "0"), CultureInfo.InvariantCulture);
        if (info is not null)
            tally.Add(began, Ending.Refused, Joined, hint);
        else if (error?.StatusCode is StatusCode.DeadlineExceeded)
            tally.Add(began, Ending.TimedOut, Joined);
        else
            tally.Add(began, Ending.Failed, Joined, failure: error is null ? "cancelled" : $"{error.StatusCode}: {error.Status.Detail}");
        return hint;
    }

    public ValueTask DisposeAsync()
    {
        foreach (var channel in _channels)
            channel.Dispose();
        return ValueTask.CompletedTask;
    }
}
