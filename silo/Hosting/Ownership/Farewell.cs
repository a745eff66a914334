using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using VmoCluster.Hosting.Sessions;

namespace VmoCluster.Hosting.Ownership;

/// <summary>
/// When the silo leaves, hands its VMOs over a few at a time while it is still a member. Orleans would end all of them at once, and in the same moment
/// everybody would look for new homes for them and for the silo's part of the directory: the last one answered after two seconds.
/// </summary>
internal sealed partial class Farewell(SiloOwnership ownership, ServingSilos serving, TimeProvider time, ILogger<Farewell> logger) : IHostedService
{
    /// <summary>VMOs on their way at once.</summary>
    private const int AtOnce = 16;

    /// <summary>After this the rest goes with the silo.</summary>
    private static readonly TimeSpan Most = TimeSpan.FromSeconds(10);

    /// <summary>
    /// For so long the silo hands on what is still sent here for those that are elsewhere by now: each answer tells its caller where. What it has in
    /// hand when it ends fails, and is sent again.
    /// </summary>
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(500);

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        var (count, began) = (ownership.Count, time.GetTimestamp());
        if (!serving.Leave() || count == 0)
        {
            return;
        }

        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bounded.CancelAfter(Most);
        try
        {
            await ownership.HandOverAsync(AtOnce, bounded.Token);
            LogHandedOver(count - ownership.Count, count, time.GetElapsedTime(began).TotalSeconds);
            await Task.Delay(Linger, time, bounded.Token);
        }
        catch (OperationCanceledException)
        {
            // The rest goes with the silo.
        }
    }

    [LoggerMessage(LogLevel.Information, "{Done} of {Count} VMOs were handed over in {Seconds:F2} s.")]
    private partial void LogHandedOver(int done, int count, double seconds);
}
