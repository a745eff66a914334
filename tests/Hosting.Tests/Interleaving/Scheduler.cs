using System.Diagnostics;
using VmoCluster.Core.Store;

namespace VmoCluster.Hosting.Tests.Interleaving;

/// <summary>
/// Lets what several silos do go on one step at a time: every call of the store rests before its effect and before its answer, and a slow
/// activation before it has given up.
/// <para>
/// Everything runs inline on the scheduler's own thread, but for what waits for a decision of the ownership table: that goes on in the thread
/// pool, and the scheduler waits for it before the next step.
/// </para>
/// </summary>
internal sealed class Scheduler
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly AsyncLocal<Running?> Current = new();

    private readonly Random _random;
    private readonly Chronicle _chronicle;
    private readonly Lock _gate = new();
    private readonly List<Rest> _resting = [];
    private readonly List<Running> _running = [];
    private readonly List<Action> _late = [];
    private bool _isPostponing;

    public Scheduler(Random random, MemoryStore store, Chronicle chronicle)
    {
        (_random, _chronicle) = (random, chronicle);
        store.Travel = () => RestAsync(isGivingUp: false);
        store.Postpone = effect =>
        {
            if (!_isPostponing)
            {
                return false;
            }

            _isPostponing = false;
            _late.Add(effect);
            return true;
        };
    }

    /// <summary>What has begun and not ended.</summary>
    public IEnumerable<Running> Unfinished => _running.Where(one => !one.Task.IsCompleted);

    public bool HasLate => _late.Count > 0;

    /// <summary>Begins something, and lets it run to its first rest.</summary>
    public Running Start(PlayedSilo silo, string what, Func<Task> run)
    {
        _chronicle.Note($"{silo} {what}");
        var running = new Running(silo, what);
        var before = Current.Value;
        Current.Value = running;
        running.Task = run();
        Current.Value = before;
        _running.RemoveAll(one => one.Task.IsCompletedSuccessfully);
        _running.Add(running);
        return running;
    }

    /// <summary>Rests until the scheduler lets it go on.</summary>
    public Task RestAsync(bool isGivingUp)
    {
        var rest = new Rest(Current.Value!, new(), isGivingUp);
        lock (_gate)
        {
            rest.Who.Resting++;
            _resting.Add(rest);
        }

        return rest.GoOn.Task;
    }

    /// <summary>One of those that rest goes on; with faults, its message may be lost, or a request be late. False: nobody rests who can go on.</summary>
    public bool GoOn(bool withFaults)
    {
        if (Take() is not { } one)
        {
            return false;
        }

        var luck = withFaults && !one.IsGivingUp ? _random.Next(100) : 100;
        var how = luck < 4 ? "lost" : luck < 8 ? "late, if it is a request" : one.IsGivingUp ? "an activation gives up" : "a message arrives";
        _chronicle.Note($"{one.Who.Silo} {one.Who.What}: {how}");
        if (luck < 4)
        {
            _chronicle.Count("lost message");
            one.GoOn.SetException(new StoreException(VmoStatus.Io, "the store did not answer"));
        }
        else
        {
            _isPostponing = luck < 8;
            one.GoOn.SetResult();
            _isPostponing = false;
        }

        return true;
    }

    /// <summary>A request whose sender has given it up reaches the store after all.</summary>
    public void RunLate()
    {
        if (HasLate)
        {
            var at = _random.Next(_late.Count);
            _chronicle.Note("a late request arrives");
            _late[at]();
            _late.RemoveAt(at);
            _chronicle.Count("late request");
        }
    }

    /// <summary>
    /// Waits until whatever went on in the thread pool has ended or rests. What may wait for another activation of its silo, or for time,
    /// cannot be told from what is about to go on: it is given the time of a few rounds through the pool.
    /// </summary>
    public void Settle()
    {
        var began = Stopwatch.GetTimestamp();
        for (var rounds = 0; ; rounds++)
        {
            var moving = Unfinished.Where(one => !IsResting(one)).ToList();
            if (_running.FirstOrDefault(one => one.Task.IsFaulted) is { } faulted)
            {
                Chronicle.Require(false, $"{faulted.Silo} {faulted.What}: {faulted.Task.Exception}");
            }

            if (moving.Count == 0 || (rounds >= 3 && moving.All(MayWait)))
            {
                return;
            }

            Chronicle.Require(
                Stopwatch.GetElapsedTime(began) < Patience, $"neither rests nor ends: {string.Join(", ", moving.Select(one => $"{one.Silo} {one.What}"))}");
            Task.Run(() => { }).Wait();
        }
    }

    private Rest? Take()
    {
        lock (_gate)
        {
            var able = _resting.Where(rest => rest.Who.Silo.CanStep && (rest.IsGivingUp || !rest.Who.Silo.IsCutOff)).ToList();
            if (able.Count == 0)
            {
                return null;
            }

            var one = able[_random.Next(able.Count)];
            if (one.IsGivingUp && _random.Next(4) > 0)
            {
                // An activation that is slow to give up is slower than messages.
                one = able[_random.Next(able.Count)];
            }

            _resting.Remove(one);
            one.Who.Resting--;
            return one;
        }
    }

    private bool IsResting(Running one)
    {
        lock (_gate)
        {
            return one.Resting > 0;
        }
    }

    private bool MayWait(Running one)
    {
        lock (_gate)
        {
            return _running.Any(other => other != one && other.Silo == one.Silo && !other.Task.IsCompleted)
                || _resting.Any(rest => rest.IsGivingUp && rest.Who.Silo == one.Silo);
        }
    }
}
