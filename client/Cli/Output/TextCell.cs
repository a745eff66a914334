namespace VmoCluster.Cli.Output;

/// <summary>Other people's words in text output: whatever they hold, they stay on their line.</summary>
internal static class TextCell
{
    /// <summary>With control characters as '?': a name must not move a terminal's cursor.</summary>
    public static string Print(string text) => text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? '?' : c)) : text;

    /// <summary>Labels as they are given: K=V, a blank between them.</summary>
    public static string Print(IReadOnlyDictionary<string, string> labels) =>
        string.Join(' ', labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{Print(l.Key)}={Print(l.Value)}"));
}
