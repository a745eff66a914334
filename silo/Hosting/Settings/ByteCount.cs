using System.Globalization;

namespace VmoCluster.Hosting.Settings;

/// <summary>Numbers of bytes as people write them.</summary>
internal static class ByteCount
{
    private static readonly (string Unit, int Shift)[] Units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];

    /// <summary>Decimal or 0x hex, with KiB, MiB, GiB or TiB; null for anything else, and for what does not fit.</summary>
    public static long? Parse(string text)
    {
        var (unit, shift) = Units.FirstOrDefault(unit => text.EndsWith(unit.Unit, StringComparison.OrdinalIgnoreCase));
        var digits = unit is null ? text : text[..^unit.Length].TrimEnd();
        var isHex = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        var isNumber = long.TryParse(
            isHex ? digits.AsSpan(2) : digits, isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        return isNumber && number >= 0 && number <= long.MaxValue >> shift ? number << shift : null;
    }
}
