namespace VmoCluster.Core.Machine;

/// <summary>Rules for sizes (semantics 1.3).</summary>
public static class Sizes
{
    /// <summary>Rounds a size up to pages. OUT_OF_RANGE when that passes 2^64 - 4096.</summary>
    public static Outcome TryRound(ulong size, out ulong rounded)
    {
        rounded = (size + Limits.PageBytes - 1) & ~(ulong)(Limits.PageBytes - 1);
        return rounded < size || rounded > Limits.SizeBytesMax
            ? new(VmoStatus.OutOfRange, $"a size of {size} bytes is above the largest, {Limits.SizeBytesMax}")
            : Outcome.Ok;
    }

    /// <summary>DECOMMIT's rule: what lies beside whole pages would be lost (semantics, rulings).</summary>
    public static Outcome CheckAligned(ByteRange range, ulong size) => IsAligned(range, size)
        ? Outcome.Ok
        : new(VmoStatus.InvalidArgs, $"decommit takes whole pages of {Limits.PageBytes} bytes; {range} would drop bytes beside it (use zero for any range)");

    /// <summary>Whether a range is of whole pages, as far as the VMO goes.</summary>
    public static bool IsAligned(ByteRange range, ulong size) =>
        range.Offset % Limits.PageBytes == 0 && (range.Length % Limits.PageBytes == 0 || (!range.Wraps && range.End >= size));
}
