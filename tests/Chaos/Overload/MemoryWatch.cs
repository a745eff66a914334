using VmoCluster.Harness;

namespace VmoCluster.Chaos.Overload;

/// <summary>Looks at the memory of silos and at what they say is under way, once a second.</summary>
internal sealed class MemoryWatch : IAsyncDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _watching;

    public MemoryWatch(IReadOnlyList<SiloProcess> silos) => _watching = WatchAsync(silos);

    /// <summary>Bytes in memory of all silos, second by second.</summary>
    public List<long> Resident { get; } = [];

    /// <summary>The most calls under way that a silo has told of.</summary>
    public double CallsMost { get; private set; }

    /// <summary>The most bytes of calls that a silo has told of.</summary>
    public double BytesMost { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching;
        _stop.Dispose();
    }

    private async Task WatchAsync(IReadOnlyList<SiloProcess> silos)
    {
        using var timer = new PeriodicTimer(Every);
        try
        {
            do
            {
                Resident.Add(silos.Sum(OverloadedCluster.Resident));
                foreach (var silo in silos)
                {
                    CallsMost = Math.Max(CallsMost, await SiloFigures.SumAsync(silo, "vmo_calls_underway"));
                    BytesMost = Math.Max(BytesMost, await SiloFigures.SumAsync(silo, "vmo_calls_bytes"));
                }
            }
            while (await timer.WaitForNextTickAsync(_stop.Token));
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }
}
