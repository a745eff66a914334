using VmoCluster.Core.Store;

namespace VmoCluster.Grains.Families;

/// <summary>
/// How far a scrub is, as one number that only grows: first VMO by VMO, by koid, and of a large one unit by unit of its pages; then over the
/// keys of the store, where the highest bit is set and the portions are counted, because cursors go up and down.
/// </summary>
/// <param name="IsKeys">Whether all VMOs are done.</param>
/// <param name="Vmo">The VMO reached.</param>
/// <param name="Unit">The unit of its pages to go on with; <see cref="Whole"/> when it is done.</param>
/// <param name="Turn">Portions of keys done.</param>
/// <param name="Keys">The key to go on with.</param>
internal readonly record struct ScrubPlace(bool IsKeys, Koid Vmo, int Unit, int Turn, KeyPlace Keys)
{
    /// <summary>Beyond the last unit that can be told: 4 TiB of pages.</summary>
    public const int Whole = (1 << UnitBits) - 1;

    private const int UnitBits = 22;
    private const int CursorBits = 45;
    private const int NodeBits = 6;
    private const int TurnBits = 12;

    public static ScrubPlace FirstKeys => new(true, default, 0, 0, default);

    public static ScrubPlace Done(Koid vmo) => new(false, vmo, Whole, 0, default);

    public static ScrubPlace Of(Koid place)
    {
        var value = place.Value;
        if (value >> 63 == 0)
            return new(false, new(value >> UnitBits), (int)(value & Whole), 0, default);
        return new(
            true, default, 0, (int)((value >> (CursorBits + NodeBits)) & ((1 << TurnBits) - 1)),
            new((int)((value >> CursorBits) & ((1 << NodeBits) - 1)), value & ((1ul << CursorBits) - 1)));
    }

    /// <summary>The next portion of the keys. Null: the walk is longer than can be told.</summary>
    public ScrubPlace? Then(KeyPlace next) => Turn + 1 < 1 << TurnBits && next.Node < 1 << NodeBits && next.Cursor < 1ul << CursorBits
        ? this with { Turn = Turn + 1, Keys = next }
        : null;

    public Koid ToKoid() => IsKeys
        ? new((1ul << 63) | ((ulong)Turn << (CursorBits + NodeBits)) | ((ulong)Keys.Node << CursorBits) | Keys.Cursor)
        : new((Vmo.Value << UnitBits) | (uint)Unit);
}
