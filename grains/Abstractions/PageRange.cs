namespace VmoCluster;

/// <summary>Neighbouring pages: the first and how many. Never wraps: pages number at most 2^52.</summary>
[GenerateSerializer, Immutable, Alias("vmo.PageRange")]
public readonly record struct PageRange([property: Id(0)] PageIndex First, [property: Id(1)] ulong Count)
{
    /// <summary>The pages a byte range touches, widened outward.</summary>
    public static PageRange Covering(ByteRange bytes)
    {
        if (bytes.Length == 0)
            return new(PageIndex.Of(bytes.Offset), 0);
        var first = bytes.Offset / Limits.PageBytes;
        var last = (bytes.Offset + (bytes.Length - 1)) / Limits.PageBytes;
        return new(new(first), last - first + 1);
    }

    /// <summary>The page after the last.</summary>
    public PageIndex End => First + Count;

    public bool IsEmpty => Count == 0;

    public bool Contains(PageIndex page) => page.Value - First.Value < Count && page >= First;

    public bool Overlaps(PageRange other) => Count > 0 && other.Count > 0 && First < other.End && other.First < End;

    /// <summary>What both share; empty where they share nothing.</summary>
    public PageRange Intersect(PageRange other)
    {
        var first = Math.Max(First.Value, other.First.Value);
        var end = Math.Min(End.Value, other.End.Value);
        return first < end ? new(new(first), end - first) : new(new(first), 0);
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{First},{End})";
}
