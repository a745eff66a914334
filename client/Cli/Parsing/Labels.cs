namespace VmoCluster.Cli.Parsing;

/// <summary>Labels: <c>K=V</c>. A value may be empty and may contain more of '='; a key may not.</summary>
internal static class Labels
{
    /// <summary>What stands in every message about a label that is none.</summary>
    public const string Form = "KEY=VALUE";

    public static bool TryParse(string text, out KeyValuePair<string, string> label)
    {
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        label = equals > 0 ? new(text[..equals], text[(equals + 1)..]) : default;
        return equals > 0;
    }
}
