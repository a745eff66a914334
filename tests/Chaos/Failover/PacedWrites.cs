using System.Diagnostics;
using VmoCluster.Client;

namespace VmoCluster.Chaos.Failover;

/// <summary>Writes to one VMO, one after the other with a rest between: how many there were, how many failed, how long the longest took.</summary>
internal sealed class PacedWrites : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _writing;
    private long _done;
    private long _failed;
    private long _longest;

    public PacedWrites(Vmo vmo, TimeSpan rest) => _writing = WriteAsync(vmo, rest);

    public long Done => Interlocked.Read(ref _done);

    public long Failed => Interlocked.Read(ref _failed);

    public double LongestSeconds => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref _longest)).TotalSeconds;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _writing;
        _stop.Dispose();
    }

    private async Task WriteAsync(Vmo vmo, TimeSpan rest)
    {
        var page = new byte[Limits.PageBytes];
        try
        {
            for (var i = 0; !_stop.IsCancellationRequested; i++)
            {
                page[0] = (byte)i;
                var began = Stopwatch.GetTimestamp();
                try
                {
                    await vmo.WriteAsync((ulong)(i % 16) * Limits.PageBytes, page, _stop.Token);
                    Interlocked.Increment(ref _done);
                }
                catch (VmoException)
                {
                    Interlocked.Increment(ref _failed);
                }

                var took = Stopwatch.GetTimestamp() - began;
                if (took > Interlocked.Read(ref _longest))
                    Interlocked.Exchange(ref _longest, took);
                await Task.Delay(rest, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }
}
