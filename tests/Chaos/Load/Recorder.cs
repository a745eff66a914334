using System.Collections.Concurrent;
using System.Diagnostics;
using VmoCluster.Chaos.History;

namespace VmoCluster.Chaos.Load;

/// <summary>Takes down what callers did and saw. Thread-safe.</summary>
internal sealed class Recorder
{
    private const int UnexplainedMost = 20;

    private readonly ConcurrentQueue<HistoryEvent> _events = new();
    private readonly ConcurrentDictionary<(HistoryKind Kind, HistoryOutcome Outcome), long> _counts = new();
    private readonly ConcurrentQueue<SignalSeen> _looks = new();
    private readonly ConcurrentQueue<ChildEnd> _childEnds = new();
    private readonly ConcurrentQueue<HandleBirth> _handleBirths = new();
    private readonly ConcurrentQueue<HandleUse> _handleUses = new();
    private readonly ConcurrentQueue<HandleEnd> _handleEnds = new();
    private readonly ConcurrentQueue<string> _unexplained = new();
    private long _value;
    private long _longest;
    private long _operations;
    private long _unanswered;

    public IReadOnlyList<HistoryEvent> Events => [.. _events];

    /// <summary>How many events there are.</summary>
    public int Count => _events.Count;

    /// <summary>Calls in all: changes, reads, looks, closes, duplicates and revokes.</summary>
    public long Operations => Interlocked.Read(ref _operations);

    /// <summary>The longest call, answered or not.</summary>
    public TimeSpan Longest => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref _longest));

    /// <summary>Calls that were given up, with their deadline over or no silo to answer.</summary>
    public long Unanswered => Interlocked.Read(ref _unanswered);

    /// <summary>Answers that nothing explains, the first of them.</summary>
    public IReadOnlyCollection<string> Unexplained => _unexplained;

    public IEnumerable<string> Lines => _counts.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key.Kind} {pair.Key.Outcome}: {pair.Value:N0}");

    /// <summary>The verdict on all looks at ZERO_CHILDREN.</summary>
    public CheckedSignals CheckSignals(TimeSpan lateBy, TimeSpan bornWithin) => SignalChecker.Check(
        _events.Where(one => one.Kind is HistoryKind.CloneLive or HistoryKind.CloneSnapshot).Select(one => new ChildBirth(one.Vmo, one.Child, one.Began, one.Ended, one.Outcome)),
        _childEnds, _looks, Ticks(lateBy), Ticks(bornWithin));

    /// <summary>The verdict on all uses of handles that were revoked or closed.</summary>
    public CheckedHandles CheckHandles()
    {
        // Whatever read showed a value, its write was accepted.
        var shown = _handleUses.Where(use => use.Value != 0).Select(use => use.Value).ToHashSet();
        shown.IntersectWith(_events.SelectMany(one => one.Shown));
        return RevocationChecker.Check(_handleBirths, _handleUses, _handleEnds, shown);
    }

    /// <summary>A call was answered with what no fault makes right.</summary>
    public void AddUnexplained(string what)
    {
        if (_unexplained.Count < UnexplainedMost)
            _unexplained.Enqueue(what);
    }

    public void CountUnanswered() => Interlocked.Increment(ref _unanswered);

    public void Add(SignalSeen look) => _looks.Enqueue(look);

    public void Add(ChildEnd end) => _childEnds.Enqueue(end);

    public void Add(HandleBirth birth) => _handleBirths.Enqueue(birth);

    public void Add(HandleUse use) => _handleUses.Enqueue(use);

    public void Add(HandleEnd end) => _handleEnds.Enqueue(end);

    /// <summary>A value that no other page of the run is filled with.</summary>
    public ulong NextValue() => (ulong)Interlocked.Increment(ref _value);

    public void Add(HistoryEvent one)
    {
        _events.Enqueue(one);
        _counts.AddOrUpdate((one.Kind, one.Outcome), 1, (_, count) => count + 1);
    }

    private static long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);

    /// <summary>A call of any kind took so many ticks, answered or not.</summary>
    public void Took(long took)
    {
        Interlocked.Increment(ref _operations);
        for (var longest = Interlocked.Read(ref _longest); took > longest; longest = Interlocked.Read(ref _longest))
        {
            if (Interlocked.CompareExchange(ref _longest, took, longest) == longest)
                break;
        }
    }
}
