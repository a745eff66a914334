using VmoCluster.Core.Encoding;

namespace VmoCluster.Core.Family;

/// <summary>A set of koids as ranges: children made in one call follow one another. Never changed; each change makes a new set.</summary>
public sealed class KoidSet
{
    // Disjoint, not touching, rising.
    private readonly (ulong First, ulong Count)[] _ranges;

    private KoidSet((ulong First, ulong Count)[] ranges)
    {
        _ranges = ranges;
        foreach (var range in ranges)
            Count += (int)range.Count;
    }

    public static KoidSet Empty { get; } = new([]);

    public int Count { get; }

    public bool IsEmpty => Count == 0;

    public bool Contains(Koid koid)
    {
        foreach (var (first, count) in _ranges)
        {
            if (koid.Value - first < count)
                return true;
        }

        return false;
    }

    /// <summary>The koids, rising.</summary>
    public IEnumerable<Koid> Koids
    {
        get
        {
            foreach (var (first, count) in _ranges)
            {
                for (var i = 0ul; i < count; i++)
                    yield return new(first + i);
            }
        }
    }

    /// <summary>The lowest; None for an empty set.</summary>
    public Koid First => _ranges.Length == 0 ? Koid.None : new(_ranges[0].First);

    /// <summary>With these koids in a row; those that are in it already stay.</summary>
    public KoidSet With(Koid first, int count)
    {
        if (count == 0)
            return this;
        var (from, end) = (first.Value, first.Value + (ulong)count);
        var merged = new List<(ulong First, ulong Count)>();
        foreach (var (start, length) in _ranges)
        {
            if (start + length < from || start > end)
            {
                merged.Add((start, length));
                continue;
            }

            (from, end) = (Math.Min(from, start), Math.Max(end, start + length));
        }

        merged.Add((from, end - from));
        merged.Sort();
        return new([.. merged]);
    }

    public KoidSet With(KoidSet other)
    {
        var both = this;
        foreach (var (first, count) in other._ranges)
            both = both.With(new(first), (int)count);
        return both;
    }

    /// <summary>A set out of ranges in any order.</summary>
    public static KoidSet Of(IEnumerable<KoidRange> ranges)
    {
        var set = Empty;
        foreach (var range in ranges)
            set = set.With(range.First, range.Count);
        return set;
    }

    /// <summary>The ranges, rising.</summary>
    public KoidRange[] ToRanges() => [.. _ranges.Select(range => new KoidRange(new(range.First), (int)range.Count))];

    /// <summary>What is in this set and not in the other.</summary>
    public KoidSet Without(KoidSet other)
    {
        var rest = new List<(ulong, ulong)>();
        var next = 0;
        foreach (var (first, count) in _ranges)
        {
            var (at, end) = (first, first + count);
            while (next < other._ranges.Length && other._ranges[next].First + other._ranges[next].Count <= at)
                next++;
            for (var i = next; i < other._ranges.Length && other._ranges[i].First < end; i++)
            {
                if (other._ranges[i].First > at)
                    rest.Add((at, other._ranges[i].First - at));
                at = Math.Min(end, Math.Max(at, other._ranges[i].First + other._ranges[i].Count));
            }

            if (at < end)
                rest.Add((at, end - at));
        }

        return new([.. rest]);
    }

    /// <summary>What is in both.</summary>
    public KoidSet Both(KoidSet other) => Without(Without(other));

    public KoidSet Without(Koid koid)
    {
        if (!Contains(koid))
            return this;
        var rest = new List<(ulong, ulong)>();
        foreach (var (first, count) in _ranges)
        {
            if (koid.Value - first >= count)
            {
                rest.Add((first, count));
                continue;
            }

            if (koid.Value > first)
                rest.Add((first, koid.Value - first));
            if (koid.Value + 1 < first + count)
                rest.Add((koid.Value + 1, first + count - koid.Value - 1));
        }

        return new([.. rest]);
    }

    public void Encode(FieldWriter writer)
    {
        writer.Varint((ulong)_ranges.Length);
        var last = 0ul;
        foreach (var (first, count) in _ranges)
        {
            writer.Varint(first - last);
            writer.Varint(count);
            last = first + count;
        }
    }

    public static KoidSet Decode(ref FieldReader reader)
    {
        var ranges = new (ulong, ulong)[reader.Count()];
        var last = 0ul;
        for (var i = 0; i < ranges.Length; i++)
        {
            var first = last + reader.Varint();
            var count = reader.Varint();
            ranges[i] = (first, count);
            last = first + count;
        }

        return new(ranges);
    }
}
