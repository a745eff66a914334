using System.Globalization;

namespace VmoCluster;

/// <summary>The number of a 4 KiB page in a VMO, from 0 to 2^52 - 2.</summary>
[GenerateSerializer, Immutable, Alias("vmo.PageIndex")]
public readonly record struct PageIndex([property: Id(0)] ulong Value) : IComparable<PageIndex>
{
    /// <summary>The page that holds a byte.</summary>
    public static PageIndex Of(ulong byteOffset) => new(byteOffset / Limits.PageBytes);

    /// <summary>Offset in bytes of the page's first byte.</summary>
    public ulong ByteOffset => Value * Limits.PageBytes;

    /// <inheritdoc/>
    public int CompareTo(PageIndex other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    public static PageIndex operator +(PageIndex page, ulong pages) => new(page.Value + pages);
    public static bool operator <(PageIndex left, PageIndex right) => left.Value < right.Value;
    public static bool operator >(PageIndex left, PageIndex right) => left.Value > right.Value;
    public static bool operator <=(PageIndex left, PageIndex right) => left.Value <= right.Value;
    public static bool operator >=(PageIndex left, PageIndex right) => left.Value >= right.Value;
}
