using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using VmoCluster.Client;
using VmoCluster.NbdDoor.Handshake;
using VmoCluster.NbdDoor.Serving;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor;

/// <summary>
/// Serves VMOs as disks over NBD (the protocol of nbd 3.26, fixed newstyle). The export's name is the handle, and the handle is all that is asked for; nothing is listed. Any number of
/// clients may use one disk at once: what one was told is written, all see.
/// </summary>
public sealed class NbdServer : IAsyncDisposable
{
    // Connections beyond the most are told of in the log no more often.
    private static readonly TimeSpan FullToldEvery = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(100);

    // For how long a client is waited for that does not take the last word, or does not go then.
    private static readonly TimeSpan Goodbye = TimeSpan.FromSeconds(1);

    private readonly Socket _listener;
    private readonly VmoClient _client;
    private readonly NbdOptions _options;
    private readonly Action<string> _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationToken _stopped;
    private readonly SharedRoom _shared;
    private readonly Task _accepting;
    private readonly Task _watching;
    private readonly HashSet<Task> _connections = [];
    private readonly HashSet<Transmission> _transmissions = [];
    private readonly Lock _lock = new();
    private Task? _ending;

    // Of the acceptor alone: the connections closed since they were told of, and when that was.
    private int _turnedAway;
    private long? _fullToldAt;

    private NbdServer(Socket listener, VmoClient client, NbdOptions options, Action<string> log)
    {
        (_listener, _client, _options, _log, _stopped) = (listener, client, options, log, _stop.Token);
        _shared = new(options.PayloadBytesMaxOfAll, options.TimeProvider);
        _accepting = Task.Run(AcceptAsync, CancellationToken.None);
        _watching = Task.Run(WatchAsync, CancellationToken.None);
    }

    /// <summary>Where it listens.</summary>
    public EndPoint EndPoint => _listener.LocalEndPoint!;

    /// <summary>The same, as clients and settings write it: <c>HOST:PORT</c> or <c>unix:PATH</c>.</summary>
    public string Where => EndPoint is IPEndPoint network ? network.ToString() : $"unix:{EndPoint}";

    /// <summary>Begins to listen. Throws <see cref="NbdSetupException"/> where that cannot be.</summary>
    /// <param name="where">An address and port, 0 being a free one; or a unix socket's path, where nothing may be but a socket that nobody listens on any more.</param>
    /// <param name="client">Through which the VMOs are used. It stays its owner's.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="log">Told a sentence of each connection that did not end well.</param>
    public static NbdServer Listen(EndPoint where, VmoClient client, NbdOptions? options = null, Action<string>? log = null)
    {
        options ??= new();
        if (options is not { RequestsMax: >= 2, ConnectionsMax: >= 1, PayloadBytesMax: >= Limits.CallBytesMax })
            throw new NbdSetupException($"{options.ConnectionsMax} connections, {options.RequestsMax} requests and {options.PayloadBytesMax} bytes at most; at least 1, 2 and {Limits.CallBytesMax} are needed");
        if (options.PayloadBytesMaxOfAll < NbdNumbers.PayloadBytesMax)
            throw new NbdSetupException($"{options.PayloadBytesMaxOfAll} bytes for all connections; at least {NbdNumbers.PayloadBytesMax} are needed, the largest read");
        if (where is UnixDomainSocketEndPoint unix)
            UnixPath.Clear(unix);
        var listener = new Socket(where.AddressFamily, SocketType.Stream, where is UnixDomainSocketEndPoint ? ProtocolType.Unspecified : ProtocolType.Tcp);
        try
        {
            listener.Bind(where);
            listener.Listen(512);
            return new(listener, client, options, log ?? (_ => { }));
        }
        catch (SocketException failure)
        {
            listener.Dispose();
            throw new NbdSetupException($"{where}: {failure.Message}", failure);
        }
    }

    /// <summary>Takes no more requests, answers those it has taken as far as they are done within a second, and ends all connections. Once is enough, and more does no harm.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_lock)
            return new(_ending ??= EndAsync());
    }

    private async Task EndAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _listener.Dispose();
        Task[] left;
        lock (_lock)
            left = [.. _connections];
        await Task.WhenAll(left).ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stopped.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptAsync(_stopped).ConfigureAwait(false);
            }
            catch (SocketException failure)
            {
                // No file is left for it, or the client has gone already: others come.
                _log($"a connection was not taken: {failure.Message}");
                await Task.Delay(Rest, _stopped).ConfigureAwait(false);
                continue;
            }

            if (!TryServe(socket))
                TurnAway(socket);
        }
    }

    private bool TryServe(Socket socket)
    {
        lock (_lock)
        {
            if (_connections.Count >= _options.ConnectionsMax)
                return false;
            var serving = Task.Run(() => ServeAsync(socket), CancellationToken.None);
            _connections.Add(serving);
            _ = serving.ContinueWith(Forget, TaskScheduler.Default);
            return true;
        }
    }

    private void TurnAway(Socket socket)
    {
        socket.Dispose();
        NbdTelemetry.CountRefusedConnection();
        _turnedAway++;
        if (_fullToldAt is { } told && _options.TimeProvider.GetElapsedTime(told) < FullToldEvery)
            return;
        _log($"there are {_options.ConnectionsMax} connections, and no more at once: closed {_turnedAway} since this was last told");
        (_turnedAway, _fullToldAt) = (0, _options.TimeProvider.GetTimestamp());
    }

    // Clients that take nothing of what they asked for must not keep the others waiting for ever.
    private async Task WatchAsync()
    {
        // It only looks from time to time; how long anybody has waited is told by the options' clock.
        using var timer = new PeriodicTimer(_options.StalledWithin / 10);
        while (await timer.WaitForNextTickAsync(_stopped).ConfigureAwait(false))
        {
            if (_shared.LongestWait < _options.StalledWithin)
                continue;
            Transmission[] stalled;
            lock (_lock)
                stalled = [.. _transmissions.Where(one => one.IsStalled(_options.StalledWithin))];
            foreach (var one in stalled)
            {
                NbdTelemetry.CountStalledConnection();
                _log($"a connection was ended: for {_options.StalledWithin.TotalSeconds} s its client took nothing of what it had asked for, and others waited for the room ({_options.PayloadBytesMaxOfAll} bytes for all)");
                one.End();
            }
        }
    }

    private void Forget(Task served)
    {
        lock (_lock)
            _connections.Remove(served);
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            if (socket.ProtocolType == ProtocolType.Tcp)
            {
                socket.NoDelay = true;
                // A client whose machine has gone says nothing: it is found out within two minutes.
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 60);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 10);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 6);
            }

            var stream = new NetworkStream(socket, ownsSocket: true);
            await using (stream.ConfigureAwait(false))
                await ServeAsync(stream).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client went as clients do, or the server does.
        }
        catch (ProtocolException failure)
        {
            _log($"a client was disconnected: {failure.Message}");
        }
        catch (Exception failure) // The edge of a connection: whatever it is, the others go on.
        {
            _log($"a connection ended: {failure}");
        }
    }

    private async Task ServeAsync(NetworkStream stream)
    {
        using var within = new HandshakeTime(_options, _stopped);
        var negotiation = new Negotiation(stream, _client, _options, within);
        Transmission? transmission = null;
        try
        {
            if (await negotiation.RunAsync(within.Token).ConfigureAwait(false) is not { } agreed)
                return;
            within.Suspend();
            transmission = new(agreed, _options, _shared, _stopped);
            lock (_lock)
                _transmissions.Add(transmission);
            await transmission.RunAsync().ConfigureAwait(false);
            await SayGoodbyeAsync(stream, agreed.Stream as SslStream).ConfigureAwait(false);
        }
        finally
        {
            await negotiation.Stream.DisposeAsync().ConfigureAwait(false);
            await stream.DisposeAsync().ConfigureAwait(false);
            // The client has its answers, or is gone: what it left behind counts as a connection still.
            if (transmission is not null)
            {
                await transmission.DisposeAsync().ConfigureAwait(false);
                lock (_lock)
                    _transmissions.Remove(transmission);
            }
        }
    }

    // A connection that is merely cut looks like an attack to TLS; and one that is closed with bytes unread is reset, by which the client may lose what it was sent last.
    private static async Task SayGoodbyeAsync(NetworkStream stream, SslStream? tls)
    {
        using var within = new CancellationTokenSource(Goodbye);
        try
        {
            if (tls is not null)
                await tls.ShutdownAsync().WaitAsync(within.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stream.Socket.Shutdown(SocketShutdown.Send);
            var unread = new byte[4096];
            while (await stream.ReadAsync(unread, within.Token).ConfigureAwait(false) > 0)
            {
            }
        }
        catch (Exception failure) when (failure is IOException or SocketException or OperationCanceledException or InvalidOperationException)
        {
            // It is gone, or does not go.
        }
    }
}
