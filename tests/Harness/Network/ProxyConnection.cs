using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace VmoCluster.Harness;

/// <summary>One connection through a <see cref="TcpProxy"/>: two sockets, and a stream each way.</summary>
internal sealed class ProxyConnection(Socket client, Socket server, ProxyFaults faults)
{
    // Chunks that wait for their time, each way. More than that, and the sender has to wait as with a full window.
    private const int ChunksWaitingMost = 256;

    private bool _hasLost;
    private int _holding;

    /// <summary>Whether bytes of it were swallowed. TCP never leaves out any, so it can't go on when they would arrive again.</summary>
    public bool HasLost => Volatile.Read(ref _hasLost);

    /// <summary>Passes on until either side has ended; then so has the other.</summary>
    public async Task RunAsync(IPEndPoint target, CancellationToken end)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(end);
        using var ours = client;
        using var theirs = server;
        client.NoDelay = server.NoDelay = true;

        // Where nothing gets through, neither does the asking for a connection.
        await faults.PassableAsync(ProxyWay.ToServer, end);
        await server.ConnectAsync(target, end);
        Task[] ways = [PassAsync(client, server, ProxyWay.ToServer, both.Token), PassAsync(server, client, ProxyWay.ToClient, both.Token)];
        var first = await Task.WhenAny(ways);
        await both.CancelAsync();
        await Task.WhenAll(ways).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        faults.LetGo(Volatile.Read(ref _holding));
        await first;
    }

    /// <summary>Both sides are told by a reset, in the middle of whatever they are sending.</summary>
    public void Reset()
    {
        foreach (var socket in new[] { client, server })
        {
            try
            {
                socket.LingerState = new(true, 0);
                socket.Close();
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                // It has ended meanwhile.
            }
        }
    }

    private async Task PassAsync(Socket from, Socket to, ProxyWay way, CancellationToken end)
    {
        var waiting = Channel.CreateBounded<Chunk>(ChunksWaitingMost);
        var writing = WriteAsync(waiting.Reader, to, way, end);
        await Task.WhenAny(ReadAsync(from, waiting.Writer, way, end), writing);
        await writing;
    }

    private async Task ReadAsync(Socket from, ChannelWriter<Chunk> waiting, ProxyWay way, CancellationToken end)
    {
        try
        {
            var buffer = new byte[64 << 10];
            while (await from.ReceiveAsync(buffer, end) is > 0 and var count)
            {
                await faults.PassableAsync(way, end);
                var fate = faults.Judge(way, buffer.AsSpan(0, count));
                if (fate.IsLost)
                {
                    Volatile.Write(ref _hasLost, true);
                    continue;
                }

                if (HasLost)
                {
                    Reset();
                    break;
                }

                var due = Stopwatch.GetTimestamp() + (long)(fate.Delay.TotalSeconds * Stopwatch.Frequency);
                if (fate.IsHeld)
                    Interlocked.Increment(ref _holding);
                await waiting.WriteAsync(new(buffer[..fate.Passed], due, fate.IsCut, fate.IsHeld), end);
                if (fate.IsCut)
                    break;
            }

            // An end does not get through either, where nothing does.
            await faults.PassableAsync(way, end);
            waiting.Complete();
        }
        catch (Exception error)
        {
            // Told to the writer, which ends with it when it has written what came before.
            waiting.TryComplete(error);
        }
    }

    private async Task WriteAsync(ChannelReader<Chunk> waiting, Socket to, ProxyWay way, CancellationToken end)
    {
        await foreach (var chunk in waiting.ReadAllAsync(end))
        {
            if (Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), chunk.Due) is { Ticks: > 0 } left)
                await Task.Delay(left, end);
            await faults.PassableAsync(way, end);
            for (var sent = 0; sent < chunk.Bytes.Length;)
                sent += await to.SendAsync(chunk.Bytes.AsMemory(sent), end);
            if (chunk.IsHeld)
            {
                Interlocked.Decrement(ref _holding);
                faults.LetGo(1);
            }

            if (!chunk.IsLast)
                continue;
            Reset();
            return;
        }
    }

    private readonly record struct Chunk(byte[] Bytes, long Due, bool IsLast, bool IsHeld);
}
