namespace VmoCluster.Chaos.History;

/// <summary>What a call asked for. References and slices are told as calls on the VMO whose pages they show.</summary>
public enum HistoryKind
{
    /// <summary>A root: all zero.</summary>
    Create,

    /// <summary>A copy-on-write clone that shows its parent's current page until it writes its own.</summary>
    CloneLive,

    /// <summary>A clone of what the parent shows at one instant of the call.</summary>
    CloneSnapshot,

    Write,

    Read,

    /// <summary>Zeros that stay: the parent's next write does not show through.</summary>
    Zero,

    /// <summary>The parent shows through again; a root shows zero, a snapshot what it was made of.</summary>
    Decommit,
}

/// <summary>What a caller knows of its call.</summary>
public enum HistoryOutcome
{
    Ok,

    /// <summary>Answered, and nothing was done.</summary>
    Refused,

    /// <summary>Not answered: it may have been done at any time since it began, or may yet be, or never.</summary>
    Unknown,
}

/// <summary>
/// One call. The unit of history is a cell: neighbouring pages of one VMO that are always written and read by one call, each page filled
/// with the same value. Values are never used twice in a run; 0 is a page of zeros.
/// </summary>
public sealed record HistoryEvent
{
    public required HistoryKind Kind { get; init; }

    public required HistoryOutcome Outcome { get; init; }

    /// <summary>Ticks of one monotonic clock, before the call was sent.</summary>
    public required long Began { get; init; }

    /// <summary>Ticks of the same clock, after its answer; when the caller gave up, for <see cref="HistoryOutcome.Unknown"/>.</summary>
    public required long Ended { get; init; }

    public int Caller { get; init; }

    public required ulong Vmo { get; init; }

    /// <summary>Of a clone: the child. Of all cells at once.</summary>
    public ulong Child { get; init; }

    /// <summary>Of a read, write, zero or decommit.</summary>
    public int Cell { get; init; }

    /// <summary>Of a write.</summary>
    public ulong Value { get; init; }

    /// <summary>Of a read: what each page of the cell showed.</summary>
    public ulong[] Shown { get; init; } = [];
}
