using VmoCluster.Core.Handles;

namespace VmoCluster.Core.Machine;

/// <summary>
/// The checks that come before every call: BAD_HANDLE, then ACCESS_DENIED, then the range (semantics, rulings: order of checks). A koid names
/// nothing but VMOs, so WRONG_TYPE cannot come.
/// </summary>
internal static class Authority
{
    public static Outcome Check(HandleTable handles, HandleSecret secret, VmoRights needed, Instant now, out HandleEntry? handle)
    {
        handle = handles.Find(secret.Hash(), now.UnixMs);
        if (handle is null)
            return BadHandle;
        return Check(handle, needed);
    }

    public static Outcome Check(HandleEntry handle, VmoRights needed)
    {
        var lacking = needed & ~handle.Rights;
        return lacking == 0
            ? Outcome.Ok
            : new(VmoStatus.AccessDenied, $"the handle lacks {HandleRights.Describe(lacking)}; it has {HandleRights.Describe(handle.Rights)}");
    }

    /// <summary>What an unknown, closed, revoked, expired or unconfirmed handle is told: the same for all, so that nothing is learned from it.</summary>
    public static Outcome BadHandle { get; } = new(VmoStatus.BadHandle, "no such handle: it is unknown, closed, revoked or expired");

    /// <summary>A range that must lie inside the VMO and inside what the handle may touch.</summary>
    public static Outcome CheckRange(HandleEntry handle, ByteRange range, ulong size, string call)
    {
        if (!range.IsInside(size))
            return new(VmoStatus.OutOfRange, $"{call} of {range.Length} bytes at {range.Offset} is outside the VMO's {size} bytes");
        return CheckHandleRange(handle, range, call);
    }

    /// <summary>
    /// COMMIT's, DECOMMIT's and LOOKUP's range (E18): OUT_OF_RANGE if it wraps or begins beyond the end, else cut to the size.
    /// </summary>
    public static Outcome CutRange(HandleEntry handle, VmoOp op, ref ByteRange range, ulong size)
    {
        if (range.Wraps || range.Offset > size)
            return new(VmoStatus.OutOfRange, $"{op} of {range.Length} bytes at {range.Offset} wraps or begins beyond the VMO's {size} bytes");
        range = range with { Length = Math.Min(range.Length, size - range.Offset) };
        return CheckHandleRange(handle, range, op.ToString());
    }

    private static Outcome CheckHandleRange(HandleEntry handle, ByteRange range, string call) => handle.Range is { } allowed && !allowed.Contains(range)
        ? new(VmoStatus.OutOfRange, $"{call} of {range.Length} bytes at {range.Offset} is outside the handle's range, {allowed.Length} bytes at {allowed.Offset}")
        : Outcome.Ok;
}
