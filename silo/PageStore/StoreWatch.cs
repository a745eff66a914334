using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// Looks at the primaries once a second, four times a second while they do not answer: is it still the silo's store, with the past that the silo
/// has seen; have their histories changed; how full are they, have they replicas. What it says may be a second old, and a round trip. A connection
/// that was lost may come back to a server that has lost its latest past: from then on nothing is asked of it until it has been looked at, and until the
/// silo has forgotten what it held of another past. A full Redis says so itself, and a replica that has gone makes WAIT fall short; what depends on the rest says how.
/// </summary>
internal sealed class StoreWatch : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan IntervalInTrouble = TimeSpan.FromMilliseconds(250);

    // As long as a call may wait for Redis itself; and where it is known why not, no longer than keeps those from spinning who ask again at once.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(100);

    private readonly StoreConnection _control;
    private readonly RedisStoreOptions _options;
    private readonly StoreKeys _keys;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationToken _stopped;
    private readonly Task _loop;
    private volatile bool _isNearlyFull;
    private volatile bool _hasReplicas;
    private volatile StoreCondition _condition;
    private volatile StoreSighting _seen;

    // Reasons to doubt that the primaries have the past they had; how many of them a look has met; and which lineage the silo goes by, -1 where nobody says.
    private int _doubts;
    private volatile int _doubtsMet;
    private long _adopted = -1;
    private TaskCompletionSource _doubted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // The primaries' histories at the last look that found any, and the last that was told apart from it. Only the loop touches it.
    private IReadOnlySet<string> _histories;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public StoreWatch(StoreConnection control, RedisStoreOptions options, StoreKeys keys, StoreSighting seen, StoreHealth first, TimeProvider time, ILogger log)
    {
        (_control, _options, _keys, _seen, _histories, _time, _log) = (control, options, keys, seen, first.Histories, time, log);
        _stopped = _stop.Token;
        Apply(first);
        _condition = new(null, LineageOf(_histories));
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

    /// <summary>Why nothing of this store may be used at present; null when it may.</summary>
    public string? Refusal => _condition.Refusal is { } refusal ? refusal
        : Volatile.Read(ref _doubts) != _doubtsMet ? "the connection to the store was lost; it is asked for nothing before it has been looked at again"
        : Volatile.Read(ref _adopted) is >= 0 and var adopted && _condition.Lineage != adopted ? "another primary answers, or the same restarted: what the silo holds of it is being forgotten"
        : null;

    /// <summary>
    /// Null as soon as the store may be used; why not, where it still may not after a while, or where the silo goes by another lineage then: who asked
    /// knew what may be lost. Never an answer at once but the good one: who is refused may ask again in the same breath.
    /// </summary>
    public ValueTask<string?> RefusalAsync() => Refusal is null ? default : WaitAsync();

    /// <summary>Throws when the store may not be used, after a while in which it may come to be.</summary>
    public async ValueTask RequireOursAsync()
    {
        if (await RefusalAsync() is { } refusal)
            throw new StoreException(VmoStatus.Io, refusal);
    }

    /// <summary>A connection to a primary was lost, or the primary is another.</summary>
    public void Doubt()
    {
        Interlocked.Increment(ref _doubts);
        Volatile.Read(ref _doubted).TrySetResult();
    }

    /// <summary>The silo holds nothing any more of the time before this lineage, and will say so of each that follows.</summary>
    public void Adopt(long lineage)
    {
        Volatile.Write(ref _adopted, lineage);
        Change();
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
            var tick = timer.WaitForNextTickAsync(_stop.Token).AsTask();
            while (true)
            {
                await Task.WhenAny(tick, Volatile.Read(ref _doubted).Task);
                if (tick.IsCompleted)
                {
                    await tick;
                    tick = timer.WaitForNextTickAsync(_stop.Token).AsTask();
                }

                _stop.Token.ThrowIfCancellationRequested();
                Volatile.Write(ref _doubted, new(TaskCreationOptions.RunContinuationsAsynchronously));
                var doubts = Volatile.Read(ref _doubts);
                try
                {
                    var (health, identity) = (StoreHealth.AskAsync(_control), IdentityAsync());
                    await Task.WhenAll(health, identity);
                    Apply(await health);
                    if (Judge(await health, await identity, await IsWholeAsync(await health)))
                    {
                        _doubtsMet = doubts;
                        Change();
                    }
                }
                catch (Exception error) when (StoreFaults.IsStoreTrouble(error))
                {
                    if (IsReachable)
                        PageStoreLog.Unreachable(_log, StoreFaults.Kind(error));
                    Move(_condition with { IsReachable = false });
                }
                catch (Exception failure) when (!_stop.IsCancellationRequested) // The edge of the loop: nobody would ever look again, and nothing of the store be used.
                {
                    if (IsReachable)
                        PageStoreLog.NotLooked(_log, failure);
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

    // False: there was nobody to be looked at.
    private bool Judge(StoreHealth health, RedisValue[] found, bool isWhole)
    {
        if (health.Primaries == 0)
        {
            if (IsReachable)
                PageStoreLog.Unreachable(_log, "replica");
            Move(_condition with { IsReachable = false });
            return false;
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
            return true;
        }

        if (_condition.Refusal is not null)
            PageStoreLog.OursAgain(_log, _seen.Id);
        if (IsNews(_histories, health.Histories, _control.IsCluster, isWhole))
        {
            PageStoreLog.OtherHistory(_log, string.Join(", ", _histories), string.Join(", ", health.Histories));
            _histories = health.Histories;
        }

        Move(new(null, LineageOf(_histories)));
        return true;
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

    // Asked where it matters only: some that were primaries are not found as such. Who does not answer has decided nothing.
    private async Task<bool> IsWholeAsync(StoreHealth health)
    {
        if (!_control.IsCluster || health.Histories.Count == 0 || !health.Histories.IsProperSubsetOf(_histories))
            return false;
        try
        {
            return await StoreHealth.IsWholeAsync(_control);
        }
        catch (Exception error) when (StoreFaults.IsStoreTrouble(error))
        {
            return false;
        }
    }

    /// <summary>
    /// Whether primaries' histories are others than before. Of one Redis any other set is another primary, also two that take themselves for one. Of a Redis Cluster a
    /// node that is not reached at the moment leaves the set and comes back; there what was not in it is news, and that some have gone is so only when those that are
    /// left serve all slots: a replaced primary that woke was then among them for a moment, and a silo that saw it would for good go by another lineage than one that did not.
    /// </summary>
    /// <param name="before">The histories at the last look.</param>
    /// <param name="found">Those found now.</param>
    /// <param name="isCluster">Whether it is a Redis Cluster.</param>
    /// <param name="isWhole">Whether those found serve all slots of it.</param>
    internal static bool IsNews(IReadOnlySet<string> before, IReadOnlySet<string> found, bool isCluster, bool isWhole) => found.Count > 0
        && (isCluster ? !found.IsSubsetOf(before) || (found.Count < before.Count && isWhole) : !found.SetEquals(before));

    // The sign bit is nobody's.
    private static long LineageOf(IEnumerable<string> histories) =>
        (long)(XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(string.Join(' ', histories.Order(StringComparer.Ordinal)))) & long.MaxValue);

    private async ValueTask<string?> WaitAsync()
    {
        var began = Volatile.Read(ref _adopted);
        var patience = Task.Delay(_condition.Refusal is null ? Patience : Rest, _time, _stopped);
        while (true)
        {
            var changed = Volatile.Read(ref _changed).Task;
            if (Refusal is not { } refusal)
                return Volatile.Read(ref _adopted) == began ? null : "another primary answers, or the same restarted: what was to be done rests on what may be lost";
            if (await Task.WhenAny(changed, patience) == patience)
                return refusal;
        }
    }

    private void Change() => Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();

    private void Move(StoreCondition next)
    {
        if (next == _condition)
            return;
        _condition = next;
        Interlocked.Exchange(ref _moved, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }
}
