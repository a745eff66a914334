using System.Globalization;

namespace VmoCluster.Core.Store;

/// <summary>
/// A layer: the VMO in whose hash slot it and its blobs live, and a number never used again there. A layer stays where it was made; other
/// VMOs' stacks name it by this id.
/// </summary>
public readonly record struct LayerId(Koid Home, uint Number)
{
    /// <summary>The number of the layer into which a VMO takes what closed ancestors held for it alone. Tops are numbered from 1 on, and never come near.</summary>
    public const uint AbsorbedNumber = 1u << 31;

    /// <summary>Whether it lies under the own stack of its home, and not in it.</summary>
    public bool IsAbsorbed => Number == AbsorbedNumber;

    /// <summary>As stored.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Home.Value}.{Number}");

    /// <summary>Reads the stored form.</summary>
    public static LayerId Parse(ReadOnlySpan<char> text)
    {
        var dot = text.IndexOf('.');
        return new(
            new(ulong.Parse(text[..dot], NumberStyles.None, CultureInfo.InvariantCulture)),
            uint.Parse(text[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture));
    }
}
