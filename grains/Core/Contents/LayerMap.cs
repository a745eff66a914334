using VmoCluster.Core.Encoding;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Contents;

/// <summary>
/// The leaves of a layer that are in memory, by extent, and the runs over them. Leaves here are clean: a slot that a clearing run has
/// killed is not in them, whatever the store still says. An extent is either known whole or not at all.
/// </summary>
public sealed class LayerMap
{
    private readonly IMapBudget _budget;
    private readonly Dictionary<ulong, Extent> _extents = [];

    // Runs as stored: those that lie under the slots are disjoint; clearing ones wait for their leaves to be rewritten.
    private List<Run> _runs;

    // Every leaf of the store is known, so an extent that is not in _extents is empty.
    private bool _isComplete;

    // A scan's leaves are coming in; what they leave out is empty.
    private bool _isTaking;
    private long _tick;
    private long _bytes;

    /// <param name="budget">The silo's budget of map bytes.</param>
    /// <param name="runs">The layer's runs.</param>
    /// <param name="isEmpty">The layer is new: nothing need be loaded.</param>
    public LayerMap(IMapBudget budget, List<Run> runs, bool isEmpty)
    {
        _budget = budget;
        _runs = runs;
        _isComplete = isEmpty;
    }

    public IReadOnlyList<Run> Runs => _runs;

    /// <summary>Whether every leaf of the layer is in memory.</summary>
    public bool IsComplete => _isComplete;

    /// <summary>Bytes this map holds.</summary>
    public long MemoryBytes => _bytes;

    /// <summary>The number of the extent a page lies in.</summary>
    public static ulong ExtentOf(ulong page) => page / Limits.ExtentPages;

    /// <summary>Whether the extent of a page is known.</summary>
    public bool Knows(ulong extent) => _isComplete || _extents.ContainsKey(extent);

    /// <summary>The slot of a page whose extent is known.</summary>
    public Slot SlotOf(ulong page)
    {
        if (!_extents.TryGetValue(ExtentOf(page), out var extent))
        {
            Invariant.Holds(_isComplete, "a slot is asked for in an extent that is not known");
            return default;
        }

        extent.Touched = ++_tick;
        return extent.Leaves[LeafInExtent(Leaf.Of(page))] is { } leaf ? leaf[Leaf.IndexOf(page)] : default;
    }

    /// <summary>A leaf whose extent is known; null when empty.</summary>
    public Leaf? LeafAt(ulong leaf)
    {
        if (_extents.TryGetValue(leaf / Limits.ExtentLeaves, out var extent))
        {
            extent.Touched = ++_tick;
            return extent.Leaves[LeafInExtent(leaf)];
        }

        Invariant.Holds(_isComplete, "a leaf is asked for in an extent that is not known");
        return null;
    }

    /// <summary>Whether a committed run speaks for the page where its slot is absent.</summary>
    public bool IsCommittedByRun(ulong page)
    {
        foreach (var run in _runs)
        {
            if (run.IsCommitted && run.Range.Contains(new(page)))
                return true;
        }

        return false;
    }

    /// <summary>Makes an extent that is known known by itself, so that it stays so when others are dropped.</summary>
    public void Hold(ulong extent)
    {
        Invariant.Holds(Knows(extent), "an extent is held that is not known");
        if (!_extents.ContainsKey(extent))
            NewExtent(extent);
    }

    /// <summary>Publishes a leaf; null or an empty one for nothing.</summary>
    public void Put(ulong number, Leaf? leaf)
    {
        var key = number / Limits.ExtentLeaves;
        if (leaf is { IsEmpty: true })
            leaf = null;
        if (!_extents.TryGetValue(key, out var extent))
        {
            // A new extent would be taken for known whole.
            Invariant.Holds(_isComplete || _isTaking, "a leaf is published in an extent that is not known");
            if (leaf is null)
                return;
            extent = NewExtent(key);
        }

        extent.Touched = ++_tick;
        ref var place = ref extent.Leaves[LeafInExtent(number)];
        Count(((leaf is null ? 0 : 1) - (place is null ? 0 : 1)) * Leaf.MemoryBytes);
        place = leaf;
    }

    /// <summary>Takes an extent's leaves as loaded from the store; dead slots are left out.</summary>
    public void PutExtent(ulong extent, IReadOnlyList<StoreField> fields)
    {
        if (Knows(extent))
            return;
        NewExtent(extent);
        foreach (var field in fields)
            Take(field);
    }

    /// <summary>Takes leaves of a scan of the whole layer. What is known already is newer and stays.</summary>
    public void PutScanned(IReadOnlyList<StoreField> fields, ISet<ulong> knownBefore)
    {
        _isTaking = true;
        foreach (var field in fields)
        {
            if (FieldNames.TryReadLeaf(field.Name.Span, out var leaf) && !knownBefore.Contains(leaf / Limits.ExtentLeaves))
                Take(field);
        }
    }

    /// <summary>A scan has come to its end: what is not known is empty.</summary>
    public void Complete()
    {
        _isTaking = false;
        _isComplete = true;
    }

    /// <summary>Whether it is known that no leaf lies in a range.</summary>
    public bool IsBlank(PageRange range)
    {
        if (range.IsEmpty)
            return true;
        var (first, last) = (ExtentOf(range.First.Value), ExtentOf(range.End.Value - 1));
        if (last - first >= (ulong)_extents.Count)
            return _isComplete && !_extents.Any(extent => extent.Key >= first && extent.Key <= last && HasLeaves(extent.Value));
        for (var extent = first; extent <= last; extent++)
        {
            if (_extents.TryGetValue(extent, out var known) ? HasLeaves(known) : !_isComplete)
                return false;
        }

        return true;
    }

    /// <summary>The extents in memory.</summary>
    public HashSet<ulong> KnownExtents() => [.. _extents.Keys];

    /// <summary>Leaves with slots in a range of pages, rising. Every extent of the range must be known.</summary>
    public IEnumerable<(ulong Number, Leaf Leaf)> LeavesIn(PageRange range)
    {
        if (range.IsEmpty)
            yield break;
        foreach (var key in ExtentsIn(range))
        {
            var extent = _extents[key];
            extent.Touched = ++_tick;
            for (var i = 0; i < Limits.ExtentLeaves; i++)
            {
                var number = (key * Limits.ExtentLeaves) + (ulong)i;
                if (extent.Leaves[i] is { } leaf && range.Overlaps(new(new(number * Limits.LeafPages), Limits.LeafPages)))
                    yield return (number, leaf);
            }
        }
    }

    /// <summary>Extents of a range that are not known, as far as they can be listed: null when there are more than <paramref name="most"/>.</summary>
    public List<ulong>? UnknownIn(PageRange range, int most)
    {
        var unknown = new List<ulong>();
        if (_isComplete || range.IsEmpty)
            return unknown;
        var first = ExtentOf(range.First.Value);
        var last = ExtentOf(range.End.Value - 1);
        if (last - first >= (ulong)(most + _extents.Count))
            return null;
        for (var extent = first; extent <= last; extent++)
        {
            if (_extents.ContainsKey(extent))
                continue;
            if (unknown.Count == most)
                return null;
            unknown.Add(extent);
        }

        return unknown;
    }

    /// <summary>Puts new runs in force.</summary>
    public void SetRuns(List<Run> runs) => _runs = runs;

    /// <summary>
    /// Gives back extents not used of late while the silo is over its budget, at most half of them, none that <paramref name="isInUse"/> holds.
    /// </summary>
    public void Trim(Func<ulong, bool> isInUse)
    {
        if (!_budget.IsOver || _extents.Count < 2)
            return;
        var touched = _extents.Values.Select(extent => extent.Touched).Order().ToArray();
        var bar = touched[touched.Length / 2];
        foreach (var (key, extent) in _extents.ToArray())
        {
            if (!_budget.IsOver)
                return;
            if (extent.Touched < bar && !isInUse(key))
                Drop(key, extent);
        }
    }

    /// <summary>Gives everything back, at the activation's end.</summary>
    public void Clear()
    {
        _extents.Clear();
        _isComplete = false;
        Count(-_bytes);
    }

    private static bool HasLeaves(Extent extent) => Array.Exists(extent.Leaves, leaf => leaf is not null);

    private IEnumerable<ulong> ExtentsIn(PageRange range)
    {
        var first = ExtentOf(range.First.Value);
        var last = ExtentOf(range.End.Value - 1);
        if (last - first < (ulong)_extents.Count)
        {
            for (var extent = first; extent <= last; extent++)
            {
                if (_extents.ContainsKey(extent))
                    yield return extent;
            }

            yield break;
        }

        foreach (var extent in _extents.Keys.Where(key => key >= first && key <= last).Order().ToArray())
            yield return extent;
    }

    private Extent NewExtent(ulong key)
    {
        var extent = new Extent { Touched = ++_tick };
        _extents.Add(key, extent);
        Count(Extent.MemoryBytes);
        return extent;
    }

    private void Drop(ulong key, Extent extent)
    {
        _extents.Remove(key);
        _isComplete = false;
        Count(-(Extent.MemoryBytes + (extent.Leaves.Count(leaf => leaf is not null) * (long)Leaf.MemoryBytes)));
    }

    private void Take(StoreField field)
    {
        if (!FieldNames.TryReadLeaf(field.Name.Span, out var number) || LeafCodec.Decode(field.Value.Span) is not { } leaf)
            return;
        Put(number, Contents.Runs.Clean(_runs, number, leaf));
    }

    private void Count(long bytes)
    {
        _bytes += bytes;
        _budget.Add(bytes);
    }

    private static int LeafInExtent(ulong leaf) => (int)(leaf % Limits.ExtentLeaves);

    private sealed class Extent
    {
        public const int MemoryBytes = 24 + 24 + (Limits.ExtentLeaves * 8) + 56;

        public readonly Leaf?[] Leaves = new Leaf?[Limits.ExtentLeaves];
        public long Touched;
    }
}
