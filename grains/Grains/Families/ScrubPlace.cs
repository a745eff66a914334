using VmoCluster.Core.Store;

namespace VmoCluster.Grains.Families;

/// <summary>
/// How far a scrub is, as one number that only grows: first VMO by VMO, by koid; then over the keys of the store, where the highest bit is set
/// and the portions are counted, because cursors go up and down.
/// </summary>
internal readonly record struct ScrubPlace(bool IsKeys, Koid After, int Turn, KeyPlace Keys)
{
    private const int CursorBits = 45;
    private const int NodeBits = 6;
    private const int TurnBits = 12;

    public static ScrubPlace FirstKeys => new(true, default, 0, default);

    public static ScrubPlace Of(Koid place)
    {
        var value = place.Value;
        if (value >> 63 == 0)
            return new(false, place, 0, default);
        return new(
            true, default, (int)((value >> (CursorBits + NodeBits)) & ((1 << TurnBits) - 1)),
            new((int)((value >> CursorBits) & ((1 << NodeBits) - 1)), value & ((1ul << CursorBits) - 1)));
    }

    /// <summary>The next portion of the keys. Null: the walk is longer than can be told.</summary>
    public ScrubPlace? Then(KeyPlace next) => Turn + 1 < 1 << TurnBits && next.Node < 1 << NodeBits && next.Cursor < 1ul << CursorBits
        ? new(true, default, Turn + 1, next)
        : null;

    public Koid ToKoid() => IsKeys
        ? new((1ul << 63) | ((ulong)Turn << (CursorBits + NodeBits)) | ((ulong)Keys.Node << CursorBits) | Keys.Cursor)
        : After;
}
