namespace VmoCluster;

/// <summary>How a VMO hangs on its parent.</summary>
public enum VmoKind : byte
{
    /// <summary>No parent.</summary>
    Root = 0,

    /// <summary>Shows its parent's current page until it writes its own (the seed's copy-on-write).</summary>
    Live = 1,

    /// <summary>Isolated both ways from the moment of its making.</summary>
    Snapshot = 2,

    /// <summary>A window on the same pages.</summary>
    Slice = 3,

    /// <summary>An alias of the whole.</summary>
    Reference = 4,
}
