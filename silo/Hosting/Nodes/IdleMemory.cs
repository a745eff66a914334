using Microsoft.Extensions.Hosting;
using VmoCluster.Grains;

namespace VmoCluster.Hosting.Nodes;

/// <summary>
/// Gives memory back once the silo has come to rest. The collector keeps what a burst of writes needed for as long as nothing is allocated,
/// which on an idle silo is for ever: a million pages written left 480 MiB resident, of which 150 were alive.
/// </summary>
internal sealed class IdleMemory(GrainTelemetry vmos, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    // Renewals, probes and scrapes of an idle silo allocate less than this in a period.
    private const long IdleBytes = 16 << 20;

    // Below this much work since the last time there is nothing worth a collection.
    private const long WorthBytes = 256L << 20;

    // So many VMOs let go are worth one, too: 14 MB.
    private const long WorthVmos = 1000;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var (before, collected, most) = (GC.GetTotalAllocatedBytes(), 0L, 0L);
        using var timer = new PeriodicTimer(Period, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                var (now, active) = (GC.GetTotalAllocatedBytes(), vmos.Active);
                most = Math.Max(most, active);
                if (now - before < IdleBytes && (now - collected > WorthBytes || most - active > WorthVmos))
                {
                    // Blocking, and so only when idle: about a tenth of a second for what a silo holds.
                    GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
                    (collected, most) = (now, active);
                }

                before = now;
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The silo leaves.
        }
    }
}
