using System.Globalization;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// Looks at the primaries once a second, four times a second while they do not answer: is it still the silo's store, with the past that the silo
/// has seen; have their histories changed; how full are they, have they replicas. What it says may be a second old, and a round trip.
/// A full Redis says so itself, and a replica that has gone makes WAIT fall short; what depends on the rest says how.
/// </summary>
internal sealed class StoreWatch : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan IntervalInTrouble = TimeSpan.FromMilliseconds(250);

    private readonly StoreConnection _control;
    private readonly RedisStoreOptions _options;
    private readonly StoreKeys _keys;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private volatile bool _isNearlyFull;
    private volatile bool _hasReplicas;
    private volatile StoreCondition _condition = StoreCondition.Calm;
    private volatile StoreSighting _seen;

    // The primaries' histories at the last look that found any, and the last that was told apart from it. Only the loop touches it.
    private IReadOnlySet<string> _histories;
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public StoreWatch(StoreConnection control, RedisStoreOptions options, StoreKeys keys, StoreSighting seen, StoreHealth first, TimeProvider time, ILogger log)
    {
        (_control, _options, _keys, _seen, _histories, _log) = (control, options, keys, seen, first.Histories, log);
        Apply(first);
        _loop = RunAsync(new PeriodicTimer(Interval, time));
    }

    public bool IsReachable => _condition.IsReachable;

    public bool IsNearlyFull => _isNearlyFull;

    /// <summary>The newest that this silo has seen of its store.</summary>
    public StoreSighting Seen => _seen;

    public StoreCondition Condition => _condition;

    /// <summary>Done when the condition is another than when this was asked for.</summary>
    public Task ConditionMoved => Volatile.Read(ref _moved).Task;

    /// <summary>How many replicas a change of pages waits for.</summary>
    public int ReplicasOfChange => _options.Durability.ReplicaCount;

    /// <summary>How many replicas a change of structure waits for: at least one where there are any.</summary>
    public int ReplicasOfStructure => Math.Max(_options.Durability.ReplicaCount, _hasReplicas ? 1 : 0);

    /// <summary>Throws when nothing of this store may be used at present.</summary>
    public void RequireOurs()
    {
        if (_condition.Refusal is { } refusal)
            throw new StoreException(VmoStatus.Io, refusal);
    }

    /// <summary>A renewal has moved the heartbeat to this. One at a time, in the order of the renewals.</summary>
    public void Saw(string? beat)
    {
        var found = StoreSighting.Read(_seen.Id, beat);
        if (found.At >= _seen.At)
            _seen = found;
    }

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
                    var (health, identity) = (StoreHealth.AskAsync(_control), IdentityAsync());
                    await Task.WhenAll(health, identity);
                    Apply(await health);
                    Judge(await health, await identity);
                }
                catch (Exception error) when (StoreFaults.IsStoreTrouble(error))
                {
                    if (IsReachable)
                        PageStoreLog.Unreachable(_log, StoreFaults.Kind(error));
                    Move(_condition with { IsReachable = false });
                }

                timer.Period = IsReachable ? Interval : IntervalInTrouble;
            }
        }
    }

    private Task<RedisValue[]> IdentityAsync() => _control.Database.HashGetAsync(_keys.Sessions, ["store", "beat"], CommandFlags.DemandMaster);

    private void Apply(StoreHealth health)
    {
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

    private void Judge(StoreHealth health, RedisValue[] found)
    {
        if (health.Primaries == 0)
        {
            if (IsReachable)
                PageStoreLog.Unreachable(_log, "replica");
            Move(_condition with { IsReachable = false });
            return;
        }

        if (!IsReachable)
            PageStoreLog.ReachableAgain(_log);
        var refusal = _control.IsCluster || health.Primaries == 1
            ? WhyNot((string?)found[0], (string?)found[1])
            : $"{health.Primaries} servers take themselves for the primary of store {_seen.Id}: each may have what the other has not";
        if (refusal is not null)
        {
            if (_condition.Refusal is null)
                PageStoreLog.Refused(_log, refusal);
            Move(_condition with { Refusal = refusal, IsReachable = true });
            return;
        }

        if (_condition.Refusal is not null)
            PageStoreLog.OursAgain(_log, _seen.Id);
        var lineage = _condition.Lineage;
        if (HasOtherHistory(health.Histories))
        {
            PageStoreLog.OtherHistory(_log, string.Join(", ", _histories), string.Join(", ", health.Histories));
            (_histories, lineage) = (health.Histories, lineage + 1);
        }

        Move(new(null, lineage));
    }

    private string? WhyNot(string? id, string? beat)
    {
        if (id is null)
            return $"this is not the store the silo works on ({_seen.Id}): it has no identity; it was emptied, or a new server answers at its address";
        if (id != _seen.Id)
            return $"this is not the store the silo works on ({_seen.Id}): store {id} answers at its address";
        var behind = StoreSighting.Read(id, beat).Behind(_seen);
        return behind <= StoreSighting.BehindMax
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"store {id} is {behind.TotalSeconds:F0} s behind what this silo has seen of it, more than {StoreSighting.BehindMax.TotalSeconds:F0} s: an old copy of it answers");
    }

    // Of one Redis any other set is another primary, also two that take themselves for one. Of a Redis Cluster a node that is not reached at the
    // moment leaves the set and comes back; there only what was not in it is news.
    private bool HasOtherHistory(IReadOnlySet<string> histories) =>
        histories.Count > 0 && (_control.IsCluster ? !histories.IsSubsetOf(_histories) : !histories.SetEquals(_histories));

    private void Move(StoreCondition next)
    {
        if (next == _condition)
            return;
        _condition = next;
        Interlocked.Exchange(ref _moved, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }
}
