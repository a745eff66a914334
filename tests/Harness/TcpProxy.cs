using System.Net;
using System.Net.Sockets;
using System.Text;

namespace VmoCluster.Harness;

/// <summary>
/// Stands between a client and a server of this machine, and passes on what either sends. Faults are asked of it by name; without them it
/// changes nothing.
/// </summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Lock _lock = new();
    private readonly List<Task> _pipes = [];
    private readonly int _target;
    private readonly Task _accepting;
    private Hold? _hold;

    /// <summary>Listens on a free port of the loopback.</summary>
    /// <param name="target">The server's port, on the loopback too.</param>
    public TcpProxy(int target)
    {
        _target = target;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>How often something was held.</summary>
    public int Held { get; private set; }

    /// <summary>
    /// The next time a client sends bytes with this text in them, they and what follows on that connection reach the server so much later.
    /// </summary>
    public void HoldNext(string text, TimeSpan time)
    {
        lock (_lock)
            _hold = new(Encoding.ASCII.GetBytes(text), time);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting;
        Task[] pipes;
        lock (_lock)
            pipes = [.. _pipes];
        await Task.WhenAll(pipes);
        _listener.Dispose();
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_end.Token);
                lock (_lock)
                    _pipes.Add(JoinAsync(client));
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    }

    private async Task JoinAsync(TcpClient client)
    {
        using var server = new TcpClient { NoDelay = true };
        using (client)
        {
            try
            {
                client.NoDelay = true;
                await server.ConnectAsync(IPAddress.Loopback, _target, _end.Token);
                // When either side has ended, so has the other.
                await await Task.WhenAny(PassAsync(client, server, isToServer: true), PassAsync(server, client, isToServer: false));
            }
            catch (Exception error) when (error is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // A connection that broke: both sides are closed.
            }
        }
    }

    private async Task PassAsync(TcpClient from, TcpClient to, bool isToServer)
    {
        var buffer = new byte[64 << 10];
        while (await from.GetStream().ReadAsync(buffer, _end.Token) is > 0 and var count)
        {
            if (isToServer)
                await Task.Delay(HoldOf(buffer.AsSpan(0, count)), _end.Token);
            await to.GetStream().WriteAsync(buffer.AsMemory(0, count), _end.Token);
        }
    }

    private TimeSpan HoldOf(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            if (_hold is not { } hold || bytes.IndexOf(hold.Text) < 0)
                return TimeSpan.Zero;
            _hold = null;
            Held++;
            return hold.Time;
        }
    }

    private sealed record Hold(byte[] Text, TimeSpan Time);
}
