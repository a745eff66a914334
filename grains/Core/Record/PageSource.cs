namespace VmoCluster.Core.Record;

/// <summary>
/// The VMO whose pages another shows, when that is not simply its parent: for a slice or reference the nearest ancestor that is neither, for a
/// live clone of such a one the same. Found once, at creation, so that nobody walks through a thousand slices.
/// </summary>
/// <param name="Vmo">Whose pages.</param>
/// <param name="Offset">Where in them it begins, in bytes.</param>
/// <param name="End">Where in them it ends, in bytes; the largest number where only the VMO's own size ends it.</param>
/// <param name="IsResizable">Whether that VMO's size may change.</param>
public sealed record PageSource(Koid Vmo, ulong Offset, ulong End, bool IsResizable)
{
    /// <summary>No end but the VMO's own.</summary>
    public const ulong Endless = ulong.MaxValue;
}
