using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using VmoCluster.Client;

namespace VmoCluster.Chaos.Redis;

/// <summary>
/// One write after the other, each to a page of its own: what was acknowledged, and when. What is lost is seen page by page, as no later write covers
/// an earlier one.
/// </summary>
internal sealed class NumberedWrites : IAsyncDisposable
{
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(3);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Vmo _vmo;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _writing;
    private readonly ConcurrentQueue<(ulong Page, long At)> _acked = new();
    private long _failed;

    public NumberedWrites(Vmo vmo)
    {
        _vmo = vmo;
        _writing = Task.Run(WriteAsync);
    }

    public int Acked => _acked.Count;

    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>Waits until so many more are acknowledged.</summary>
    public async Task WaitForMoreAsync(int more)
    {
        var (wanted, began) = (Acked + more, Stopwatch.GetTimestamp());
        while (Acked < wanted)
        {
            if (_writing.IsFaulted)
                await _writing;
            if (Stopwatch.GetElapsedTime(began) > Patience)
                throw new TimeoutException($"{Acked} of {wanted} writes are acknowledged after {Patience.TotalSeconds} s; {Failed} failed.");
            await Task.Delay(10);
        }
    }

    /// <summary>Begins no more.</summary>
    public void Cease() => _stop.Cancel();

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _writing;
    }

    /// <summary>The longest time between two acknowledgements.</summary>
    public TimeSpan LongestPause()
    {
        var times = _acked.Select(one => one.At).ToList();
        return times.Zip(times.Skip(1), (one, next) => Stopwatch.GetElapsedTime(one, next)).DefaultIfEmpty().Max();
    }

    /// <summary>The acknowledged writes that are not there, by the time they were acknowledged.</summary>
    public async Task<IReadOnlyList<long>> LostAsync(Vmo? through = null)
    {
        var lost = new ConcurrentBag<long>();
        await Parallel.ForEachAsync(_acked, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (one, stop) =>
        {
            var found = new byte[16];
            await (through ?? _vmo).ReadAsync(one.Page * Limits.PageBytes, found, stop);
            if (!found.AsSpan().SequenceEqual(Bytes(one.Page)))
                lost.Add(one.At);
        });
        return [.. lost.Order()];
    }

    /// <summary>The numbers of the acknowledged writes that are there, rising.</summary>
    public async Task<IReadOnlyList<ulong>> PresentAsync()
    {
        var present = new ConcurrentBag<ulong>();
        await Parallel.ForEachAsync(_acked, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (one, stop) =>
        {
            var found = new byte[16];
            await _vmo.ReadAsync(one.Page * Limits.PageBytes, found, stop);
            if (found.AsSpan().SequenceEqual(Bytes(one.Page)))
                present.Add(one.Page);
        });
        return [.. present.Order()];
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task WriteAsync()
    {
        for (var page = 0ul; !_stop.IsCancellationRequested; page++)
        {
            try
            {
                await _vmo.WriteAsync(page * Limits.PageBytes, Bytes(page));
                _acked.Enqueue((page, Stopwatch.GetTimestamp()));
            }
            catch (VmoException failure) when (failure.Status is VmoStatus.Io or VmoStatus.TimedOut or VmoStatus.ShouldWait)
            {
                // Not acknowledged: it may be there or not.
                Interlocked.Increment(ref _failed);
            }

            await Task.Delay(Rest);
        }
    }

    // The number twice, so that zeros are none of it.
    private static byte[] Bytes(ulong page)
    {
        var bytes = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, page);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), ~page);
        return bytes;
    }
}
