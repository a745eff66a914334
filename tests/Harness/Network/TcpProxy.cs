using System.Net;
using System.Net.Sockets;
using System.Text;

namespace VmoCluster.Harness;

/// <summary>
/// Stands between a client and a server of this machine, and passes on what either sends. Faults are asked of it by name, are at once in
/// force for connections already open, and end with <see cref="Heal"/>; without them it changes nothing. Safe from several threads.
/// </summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private const int WaitingToBeAcceptedMost = 512;

    private readonly CancellationTokenSource _end = new();
    private readonly Lock _lock = new();
    private readonly ProxyFaults _faults = new();
    private readonly Dictionary<ProxyConnection, Task> _connections = [];
    private readonly LabHost? _listensIn;
    private readonly LabHost? _connectsFrom;

    // Bound and never listening: the port stays ours while it refuses.
    private readonly Socket _holder;
    private Socket? _listener;
    private volatile IPEndPoint _target;
    private Task _accepting = Task.CompletedTask;

    /// <summary>Listens on a free port of the loopback.</summary>
    /// <param name="target">The server's port, on the loopback too.</param>
    public TcpProxy(int target)
        : this(new IPEndPoint(IPAddress.Loopback, target))
    {
    }

    /// <summary>Listens on a free port of a loopback.</summary>
    /// <param name="target">Where the server is.</param>
    /// <param name="listensIn">Whose loopback; this machine's own without one.</param>
    /// <param name="connectsFrom">The participant from which it reaches the server; this machine's own namespace without one.</param>
    public TcpProxy(IPEndPoint target, LabHost? listensIn = null, LabHost? connectsFrom = null)
    {
        (_target, _listensIn, _connectsFrom) = (target, listensIn, connectsFrom);
        _holder = Bound(0);
        Port = ((IPEndPoint)_holder.LocalEndPoint!).Port;
        Listen();
    }

    public int Port { get; }

    /// <summary>How often something was held.</summary>
    public int Held => _faults.Held;

    /// <summary>Of what was held, how much has neither gone on nor ended with its connection.</summary>
    public int StillHeld => _faults.StillHeld;

    /// <summary>How often a connection was cut by <see cref="CutAfter"/>.</summary>
    public int Cuts => _faults.Cuts;

    /// <summary>How many connections are open.</summary>
    public int Open
    {
        get
        {
            lock (_lock)
                return _connections.Count;
        }
    }

    /// <summary>
    /// The next time a client sends bytes with this text in them, they and what follows on that connection reach the server so much later.
    /// </summary>
    public void HoldNext(string text, TimeSpan time) => _faults.HoldNext(Encoding.ASCII.GetBytes(text), time);

    /// <summary>Every chunk arrives so much later, and up to <paramref name="jitter"/> more by chance; none overtakes another.</summary>
    /// <param name="seed">Of the chance.</param>
    public void Delay(TimeSpan delay, TimeSpan jitter = default, ProxyWay way = ProxyWay.Both, int seed = 0) => _faults.Delay(way, delay, jitter, seed);

    /// <summary>Bytes sent this way are swallowed. A connection that has lost some is reset when all heals.</summary>
    public void Lose(ProxyWay way = ProxyWay.Both) => _faults.Lose(way);

    /// <summary>Half-open: connections stay and more are taken, but nothing passes, not even their end. It arrives when all heals.</summary>
    public void Stall(ProxyWay way = ProxyWay.Both) => _faults.Stall(way);

    /// <summary>After so many more bytes this way, on whatever connection the last one falls, both its sides are reset.</summary>
    public void CutAfter(long bytes, ProxyWay way = ProxyWay.Both)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        _faults.CutAfter(way, bytes);
    }

    /// <summary>Resets all connections there are; new ones are taken.</summary>
    public void Reset()
    {
        foreach (var connection in Connections())
            connection.Reset();
    }

    /// <summary>Leads to another server from now on: all connections there are are reset.</summary>
    public void Lead(IPEndPoint target)
    {
        _target = target;
        Reset();
    }

    /// <summary>As if no server were there: connections are reset, new ones refused.</summary>
    public void Refuse()
    {
        lock (_lock)
        {
            _listener?.Dispose();
            _listener = null;
        }

        Reset();
    }

    /// <summary>No faults any more.</summary>
    public void Heal()
    {
        _faults.Heal();
        foreach (var connection in Connections().Where(connection => connection.HasLost))
            connection.Reset();
        lock (_lock)
        {
            if (_listener is null)
                Listen();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        Task[] running;
        lock (_lock)
        {
            _listener?.Dispose();
            running = [.. _connections.Values, _accepting];
        }

        await Task.WhenAll(running);
        _holder.Dispose();
        _end.Dispose();
    }

    private List<ProxyConnection> Connections()
    {
        lock (_lock)
            return [.. _connections.Keys];
    }

    private void Listen()
    {
        _listener = Bound(Port);
        _listener.Listen(WaitingToBeAcceptedMost);
        var (listener, before) = (_listener, _accepting);
        _accepting = Task.WhenAll(before, AcceptAsync(listener));
    }

    private Socket Bound(int port)
    {
        var socket = NewSocket(_listensIn);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
        return socket;
    }

    private static Socket NewSocket(LabHost? host) => host?.NewSocket() ?? new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptAsync(_end.Token);
                var connection = new ProxyConnection(client, NewSocket(_connectsFrom), _faults);
                lock (_lock)
                    _connections.Add(connection, JoinAsync(connection));
            }
        }
        catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // Disposed, or it refuses.
        }
    }

    private async Task JoinAsync(ProxyConnection connection)
    {
        // Not before it is in the list.
        await Task.Yield();
        try
        {
            await connection.RunAsync(_target, _end.Token);
        }
        catch (Exception error) when (error is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // A connection that broke: both sides are closed.
        }

        lock (_lock)
            _connections.Remove(connection);
    }
}
