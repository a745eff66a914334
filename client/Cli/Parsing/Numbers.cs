using System.Globalization;

namespace VmoCluster.Cli.Parsing;

/// <summary>Numbers as people type them: decimal or 0x hex, with KiB, MiB, GiB or TiB, from 0 to 2^64-1.</summary>
internal static class Numbers
{
    /// <summary>What stands in every message about a number that is none.</summary>
    public const string Form = "a whole number from 0 to 18446744073709551615, decimal or 0x hex, with KiB, MiB, GiB or TiB if you like";

    /// <summary>Reads a number. False: negative, fractional, too large, or no number.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ulong number)
    {
        var shift = Unit(ref text);
        var isHex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        // AllowHexSpecifier and None accept neither sign, space nor separator.
        if (!ulong.TryParse(isHex ? text[2..] : text, isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out number))
            return false;
        if (number > ulong.MaxValue >> shift)
            return false;
        number <<= shift;
        return true;
    }

    /// <summary>Reads OFF,LEN.</summary>
    public static bool TryParseRange(ReadOnlySpan<char> text, out ByteRange range)
    {
        range = default;
        var comma = text.IndexOf(',');
        if (comma < 0 || !TryParse(text[..comma], out var offset) || !TryParse(text[(comma + 1)..], out var length))
            return false;
        range = new(offset, length);
        return true;
    }

    private static int Unit(ref ReadOnlySpan<char> text)
    {
        if (!text.EndsWith("iB", StringComparison.Ordinal) || text.Length < 3)
            return 0;
        var shift = text[^3] switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        if (shift > 0)
            text = text[..^3];
        return shift;
    }
}
