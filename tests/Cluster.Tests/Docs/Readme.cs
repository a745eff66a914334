using System.Text.RegularExpressions;

namespace VmoCluster.Cluster.Tests.Docs;

/// <summary>README.md, read as its readers use it.</summary>
internal static partial class Readme
{
    public static string Text { get; } = Repository.Read("README.md");

    /// <summary>The shell of the block below the mark <c>&lt;!-- run: name --&gt;</c>.</summary>
    public static string Block(string name)
    {
        var blocks = MarkedBlock().Matches(Text).Where(m => m.Groups["name"].Value == name).ToList();
        return blocks.Count == 1 ? blocks[0].Groups["shell"].Value : throw new InvalidOperationException($"README.md has {blocks.Count} blocks marked '{name}'");
    }

    /// <summary>Every block of shell, marked or not.</summary>
    public static IEnumerable<string> Blocks => AnyBlock().Matches(Text).Select(m => m.Groups["shell"].Value);

    /// <summary>What stands behind '# ' of a line of shell that reads is what it prints.</summary>
    public static IReadOnlyList<string> PromisedBy(string shell) => [.. PromisingLine().Matches(shell).Select(m => m.Groups[1].Value.Trim())];

    /// <summary>The rows of the table of promises: the number and the tests named beside it.</summary>
    public static IEnumerable<(string Promise, IReadOnlyList<string> Tests)> Promises =>
        PromiseRow().Matches(Text).Select(m => (m.Groups["promise"].Value, (IReadOnlyList<string>)[.. TestName().Matches(m.Groups["tests"].Value).Select(t => t.Groups[1].Value)]));

    /// <summary>Links to files of the repository.</summary>
    public static IEnumerable<string> Links => Link().Matches(Text).Select(m => m.Groups[1].Value).Where(l => !l.Contains("://", StringComparison.Ordinal));

    [GeneratedRegex(@"^<!-- run: (?<name>[^>]+) -->\n```sh\n(?<shell>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex MarkedBlock();

    [GeneratedRegex(@"^```sh\n(?<shell>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex AnyBlock();

    [GeneratedRegex(@"^vmo (?:[^#\n]* )?read [^#\n]*# (.+)$", RegexOptions.Multiline)]
    private static partial Regex PromisingLine();

    [GeneratedRegex(@"^\| (?<promise>P\d+) \|[^|]*\|(?<tests>[^|]*)\|", RegexOptions.Multiline)]
    private static partial Regex PromiseRow();

    [GeneratedRegex(@"`(\w+)`")]
    private static partial Regex TestName();

    [GeneratedRegex(@"\]\(([^)#]+)")]
    private static partial Regex Link();
}
