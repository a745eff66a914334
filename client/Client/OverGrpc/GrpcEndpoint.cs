using Grpc.Net.Client;

namespace VmoCluster.Client;

/// <summary>One door of the cluster: its connections, and whether it is being rested because it did not answer.</summary>
internal sealed class GrpcEndpoint : IDisposable
{
    private const int RestFirstMs = 250;
    private const int RestMostMs = 10_000;

    // Larger than the largest message, so that one answer never waits for a window update.
    private const int StreamWindowBytes = 2 * Limits.CallBytesMax;
    private readonly Stubs[] _stubs;
    private readonly TimeProvider _time;
    private int _turn;
    private int _failures;
    private long _restUntil;

    /// <summary>The stubs over one connection.</summary>
    internal sealed record Stubs(GrpcChannel Channel, V1.Vmos.VmosClient Vmos, V1.Handles.HandlesClient Handles);

    public GrpcEndpoint(Uri address, int connections, TimeProvider time)
    {
        if (!address.IsAbsoluteUri || (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps))
            throw new VmoException(VmoStatus.InvalidArgs, $"'{address}' is no endpoint: http://HOST:PORT or https://HOST:PORT");
        (Address, _time) = (address, time);
        _stubs = new Stubs[connections];
        for (var i = 0; i < connections; i++)
        {
            var channel = GrpcChannel.ForAddress(address, new() { HttpHandler = NewHandler(), DisposeHttpClient = true });
            _stubs[i] = new(channel, new(channel), new(channel));
        }
    }

    public Uri Address { get; }

    /// <summary>Timestamp until which others are preferred.</summary>
    public long RestUntil => Volatile.Read(ref _restUntil);

    /// <summary>The connections take turns.</summary>
    public Stubs Next() => _stubs[(uint)Interlocked.Increment(ref _turn) % (uint)_stubs.Length];

    public void Answered()
    {
        if (Volatile.Read(ref _failures) == 0)
            return;
        Volatile.Write(ref _failures, 0);
        Volatile.Write(ref _restUntil, 0);
    }

    public void Failed()
    {
        var failures = Interlocked.Increment(ref _failures);
        var rest = Math.Min(RestMostMs, RestFirstMs << Math.Min(failures - 1, 6));
        Volatile.Write(ref _restUntil, _time.GetTimestamp() + (rest * _time.TimestampFrequency / 1000));
    }

    public void Dispose()
    {
        foreach (var stubs in _stubs)
            stubs.Channel.Dispose();
    }

    private static SocketsHttpHandler NewHandler() => new()
    {
        // A proxy of the environment is for the way out, not for the cluster.
        UseProxy = false,
        ActivityHeadersPropagator = RecordedContext.Instance,
        EnableMultipleHttp2Connections = true,
        ConnectTimeout = TimeSpan.FromSeconds(3),
        PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        KeepAlivePingDelay = TimeSpan.FromSeconds(5),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        InitialHttp2StreamWindowSize = StreamWindowBytes,
    };
}
