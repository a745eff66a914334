using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace VmoCluster.Hosting.Nodes;

/// <summary>
/// Writes down every few seconds what this silo has seen of its store. Late by that much, a start finds a store less far behind than it is; what decides
/// is a minute.
/// </summary>
internal sealed partial class StoreMemoryKeeper(NodeStore store, TimeProvider time, ILogger<StoreMemoryKeeper> logger) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    private bool _isWritten = true;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                Keep();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            Keep();
        }
    }

    private void Keep()
    {
        try
        {
            store.Memory.Keep(store.Redis.Seen);
            _isWritten = true;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // The silo can do without; what it remembers gets old, and it is told once.
            if (_isWritten)
            {
                LogNotKept(failure.Message);
            }

            _isWritten = false;
        }
    }

    [LoggerMessage(LogLevel.Warning, "What was seen of the store cannot be written to the data folder: an old copy of the store may not be noticed at the next start. {Message}")]
    private partial void LogNotKept(string message);
}
