using VmoCluster.Messages;

namespace VmoCluster.Cli;

/// <summary>
/// Ranges of more than one call, checked whole before the first: the cluster checks each call by itself, and half a transfer is worse than
/// none. The order is the cluster's: rights, then ranges.
/// </summary>
internal static class RangeCheck
{
    public static void ThrowIfOutside(VmoInfo info, ByteRange range, VmoRights needed = VmoRights.None)
    {
        if ((info.Rights & needed) != needed)
        {
            throw new VmoException(
                VmoStatus.AccessDenied,
                $"{Parsing.BitNames.Rights.Join((uint)needed)} is needed, the handle has {Parsing.BitNames.Rights.Join((uint)info.Rights)}");
        }

        if (!range.IsInside(info.Size))
            throw new VmoException(VmoStatus.OutOfRange, $"offset {range.Offset} and length {range.Length} reach beyond the size {info.Size}");
        if (info.Range is { } allowed && !allowed.Contains(range))
        {
            throw new VmoException(
                VmoStatus.OutOfRange,
                $"offset {range.Offset} and length {range.Length} reach outside the handle's range, offset {allowed.Offset} and length {allowed.Length}");
        }
    }
}
