using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using VmoCluster.Grains;

namespace VmoCluster.Hosting.Nodes;

/// <summary>
/// Lets VMOs go that nobody asks for, once a silo has many: each takes about 14 KB beside its pages and maps, and clones are
/// often made, used for a moment, and kept. A VMO that waits for something (its own end, that of a handle within minutes) stays. Whoever is asked for next is opened again,
/// which takes some round trips to the store.
/// </summary>
internal sealed partial class IdleVmos(IGrainFactory grains, ILocalSiloDetails silo, GrainTelemetry vmos, TimeProvider time, ILogger<IdleVmos> logger) : BackgroundService
{
    /// <summary>VMOs in memory up to which none is let go before Orleans' own collection does.</summary>
    private const int Kept = 2000;

    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                if (vmos.Active > Kept)
                    await LetGoAsync();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The silo leaves.
        }
    }

    private async Task LetGoAsync()
    {
        try
        {
            await grains.GetGrain<IManagementGrain>(0).ForceActivationCollection([silo.SiloAddress], Idle);
        }
        catch (Exception failure) // Orleans' ways of not getting through are many; all of them mean: next time.
        {
            LogNotLetGo(failure.Message);
        }
    }

    [LoggerMessage(LogLevel.Debug, "Idle VMOs could not be let go. {Message}")]
    private partial void LogNotLetGo(string message);
}
