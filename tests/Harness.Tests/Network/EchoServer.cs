using System.Net;
using System.Net.Sockets;

namespace VmoCluster.Harness.Tests.Network;

/// <summary>Sends back what it gets, and remembers all of it.</summary>
internal sealed class EchoServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly MemoryStream _got = new();
    private readonly Task _serving;

    public EchoServer()
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _serving = ServeAsync();
    }

    public int Port { get; }

    public byte[] Got
    {
        get
        {
            lock (_got)
            {
                return _got.ToArray();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _listener.Dispose();
        _end.Dispose();
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            _ = EchoAsync(await _listener.AcceptSocketAsync(_end.Token));
        }
    }

    private async Task EchoAsync(Socket client)
    {
        using (client)
        {
            var buffer = new byte[4096];
            try
            {
                while (await client.ReceiveAsync(buffer, _end.Token) is > 0 and var count)
                {
                    lock (_got)
                    {
                        _got.Write(buffer, 0, count);
                    }

                    await client.SendAsync(buffer.AsMemory(0, count), _end.Token);
                }
            }
            catch (Exception error) when (error is SocketException or OperationCanceledException)
            {
                // The test is over, or has reset it.
            }
        }
    }
}
