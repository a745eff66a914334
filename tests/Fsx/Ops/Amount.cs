using System.Globalization;

namespace VmoCluster.Fsx.Ops;

/// <summary>Numbers of bytes as people like to read them: 3p is three pages, 2p+100 a hundred bytes more.</summary>
internal static class Amount
{
    public static string Format(ulong bytes)
    {
        var (pages, rest) = (bytes / Limits.PageBytes, bytes % Limits.PageBytes);
        return pages == 0 ? Text(rest) : rest == 0 ? Text(pages) + "p" : $"{Text(pages)}p+{Text(rest)}";
    }

    public static ulong Parse(string text)
    {
        var at = text.IndexOf('p', StringComparison.Ordinal);
        return at < 0 ? Number(text) : unchecked((Number(text[..at]) * Limits.PageBytes) + (text.Length > at + 1 ? Number(text[(at + 2)..]) : 0));
    }

    private static string Text(ulong number) => number.ToString(CultureInfo.InvariantCulture);

    private static ulong Number(string text) => ulong.Parse(text, CultureInfo.InvariantCulture);
}
