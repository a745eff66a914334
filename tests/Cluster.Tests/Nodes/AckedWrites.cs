using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using VmoCluster.Client;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>
/// A stream of writes from several writers, a page each, never the same page twice, and a note of each that was acknowledged. What it noted
/// must be there, whatever became of the nodes.
/// </summary>
internal sealed class AckedWrites : IAsyncDisposable
{
    private const int Writers = 8;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly ConcurrentDictionary<ulong, byte> _acked = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _writing;
    private long _next = -1;
    private long _failed;

    /// <summary>Begins to write over a VMO from its first page on. It must be large enough.</summary>
    public AckedWrites(Vmo vmo) => _writing = Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => WriteAsync(vmo)));

    public int Acked => _acked.Count;

    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>Waits until so many more writes are acknowledged.</summary>
    public async Task WaitForMoreAsync(int more)
    {
        var (wanted, began) = (Acked + more, Stopwatch.GetTimestamp());
        while (Acked < wanted)
        {
            if (Stopwatch.GetElapsedTime(began) > Patience)
            {
                throw new TimeoutException($"{Acked} of {wanted} writes are acknowledged after {Patience.TotalSeconds} s; {Failed} failed.");
            }

            if (_writing.IsFaulted)
            {
                await _writing;
            }

            await Task.Delay(10);
        }
    }

    /// <summary>Begins no more writes and waits for those under way.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _writing;
    }

    /// <summary>Reads every acknowledged page back. Says which are missing.</summary>
    public async Task VerifyAsync(Vmo vmo)
    {
        var wrong = new ConcurrentBag<ulong>();
        await Parallel.ForEachAsync(_acked.Keys, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (page, stop) =>
        {
            var found = new byte[Limits.PageBytes];
            await vmo.ReadAsync(page * Limits.PageBytes, found, stop);
            if (!found.AsSpan().SequenceEqual(Page(page)))
            {
                wrong.Add(page);
            }
        });
        Assert.True(wrong.IsEmpty, $"{wrong.Count} of {Acked} acknowledged pages are not as written, the first {wrong.Order().FirstOrDefault()}.");
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task WriteAsync(Vmo vmo)
    {
        while (!_stop.IsCancellationRequested)
        {
            var page = (ulong)Interlocked.Increment(ref _next);
            try
            {
                await vmo.WriteAsync(page * Limits.PageBytes, Page(page));
                _acked[page] = 1;
            }
            catch (VmoException failure) when (failure.Status is VmoStatus.Io or VmoStatus.TimedOut or VmoStatus.ShouldWait)
            {
                // Not acknowledged, so it may be there or not.
                Interlocked.Increment(ref _failed);
            }
        }
    }

    private static byte[] Page(ulong page)
    {
        var bytes = new byte[Limits.PageBytes];
        for (var i = 0; i < bytes.Length; i += 8)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i), (page * 0x9E3779B97F4A7C15) + (ulong)i);
        }

        return bytes;
    }
}
