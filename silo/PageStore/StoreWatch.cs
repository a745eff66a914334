using System.Globalization;
using Microsoft.Extensions.Logging;

namespace VmoCluster.PageStore;

/// <summary>
/// Looks at the primaries once a second: do they answer, how full are they, have they replicas. What it says may be a second old; nothing
/// that must be exact depends on it: a full Redis says so itself, and a replica that has gone makes WAIT fall short.
/// </summary>
internal sealed class StoreWatch : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly StoreConnection _control;
    private readonly RedisStoreOptions _options;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private volatile bool _isReachable = true;
    private volatile bool _isNearlyFull;
    private volatile bool _hasReplicas;

    public StoreWatch(StoreConnection control, RedisStoreOptions options, StoreHealth first, TimeProvider time, ILogger log)
    {
        (_control, _options, _log) = (control, options, log);
        Apply(first);
        _loop = RunAsync(new PeriodicTimer(Interval, time));
    }

    public bool IsReachable => _isReachable;

    public bool IsNearlyFull => _isNearlyFull;

    /// <summary>How many replicas a change of pages waits for.</summary>
    public int ReplicasOfChange => _options.Durability.ReplicaCount;

    /// <summary>How many replicas a change of structure waits for: at least one where there are any.</summary>
    public int ReplicasOfStructure => Math.Max(_options.Durability.ReplicaCount, _hasReplicas ? 1 : 0);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task RunAsync(PeriodicTimer timer)
    {
        using (timer)
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                try
                {
                    Apply(await StoreHealth.AskAsync(_control));
                }
                catch (Exception error) when (StoreFaults.IsStoreTrouble(error))
                {
                    if (_isReachable)
                        PageStoreLog.Unreachable(_log, StoreFaults.Kind(error));
                    _isReachable = false;
                }
            }
        }
    }

    private void Apply(StoreHealth health)
    {
        if (!_isReachable && health.Primaries > 0)
            PageStoreLog.ReachableAgain(_log);
        _isReachable = health.Primaries > 0;
        _hasReplicas = health.ReplicasLeast > 0;
        var isNearlyFull = health.FullestRatio >= _options.HighWaterRatio || _options.IsDiskNearlyFull?.Invoke() == true;
        if (isNearlyFull != _isNearlyFull)
        {
            if (isNearlyFull)
                PageStoreLog.NearlyFull(_log, health.FullestRatio.ToString("P0", CultureInfo.InvariantCulture));
            else
                PageStoreLog.RoomAgain(_log);
        }

        _isNearlyFull = isNearlyFull;
    }
}
