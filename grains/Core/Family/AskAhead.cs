using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>
/// Whom a walk down a line asks before it is known that they are needed: those that lineages name, the nearest first, each once. In each round
/// four times as many as in the one before, so that a walk that ends soon has asked few in vain and a long one takes few rounds.
/// </summary>
internal sealed class AskAhead
{
    private const int FirstRound = 64;
    private const int RoundMax = 4096;

    private readonly PriorityQueue<(LayerId Layer, ulong Extent, int Place), long> _named = new();
    private readonly HashSet<(LayerId Layer, ulong Extent)> _seen = [];
    private int _left;
    private int _round = FirstRound / 4;

    /// <summary>Whoever was read has this next ancestor, and names those further down.</summary>
    public void Add(Ancestor? next, Lineage lineage, ulong extent)
    {
        var named = lineage.Places.Zip(lineage.Ancestors);
        foreach (var (place, ancestor) in next is { } direct ? named.Prepend((Math.Max(lineage.Depth, 1) - 1, direct)) : named)
        {
            var first = unchecked((extent * Limits.ExtentPages) + ancestor.Offset);
            var (from, to) = (first / Limits.ExtentPages, unchecked(first + Limits.ExtentPages - 1) / Limits.ExtentPages);
            Add(ancestor.Layer, from, place);
            if (to != from)
                Add(ancestor.Layer, to, place);
        }
    }

    /// <summary>A round begins.</summary>
    public void Begin() => _left = _round = Math.Min(4 * _round, RoundMax);

    /// <summary>The next to be asked in this round; false: that is all.</summary>
    public bool TryNext(out (LayerId Layer, ulong Extent, int Place) next)
    {
        next = default;
        return _left > 0 && _named.TryDequeue(out next, out _);
    }

    /// <summary>One that <see cref="TryNext"/> gave is asked.</summary>
    public void Asked() => _left--;

    /// <summary>Nobody further than this place is needed.</summary>
    public void EndAt(int place)
    {
        var nearer = _named.UnorderedItems.Where(item => item.Element.Place > place).ToList();
        _named.Clear();
        _named.EnqueueRange(nearer);
    }

    private void Add(LayerId layer, ulong extent, int place)
    {
        if (_seen.Add((layer, extent)))
            _named.Enqueue((layer, extent, place), -place);
    }
}
