using System.Text.RegularExpressions;

namespace VmoCluster.Cluster.Tests.Dashboards;

/// <summary>An instrument as the source makes it.</summary>
internal sealed record DeclaredInstrument(string Name, string Kind, string Unit, string Description);

/// <summary>
/// Every instrument the source makes, also those nothing has used yet. Read from the text: to load the node's assemblies into this process
/// would make it look like a node to Orleans.
/// </summary>
internal static partial class DeclaredInstruments
{
    public static IReadOnlyList<DeclaredInstrument> All { get; } = [.. Sources().SelectMany(Read)];

    private static IEnumerable<string> Sources() =>
        new[] { "grains", "silo", "client" }.SelectMany(folder => Directory.GetFiles(Repository.PathOf(folder), "*.cs", SearchOption.AllDirectories))
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal))
            .Select(File.ReadAllText);

    private static List<DeclaredInstrument> Read(string source)
    {
        var made = Making().Matches(source).Select(m => new DeclaredInstrument(
            m.Groups["literal"].Success ? m.Groups["literal"].Value : ConstantOf(source, m.Groups["constant"].Value),
            KindOf(m.Groups["kind"].Value), m.Groups["unit"].Value, m.Groups["description"].Value)).ToList();
        return made.Count == AnyMaking().Count(source)
            ? made
            : throw new InvalidOperationException($"an instrument is made in a form this test does not read, near: {AnyMaking().Match(source).Value}");
    }

    private static string ConstantOf(string source, string name) =>
        Regex.Match(source, $@"const string {name} = ""([^""]+)""").Groups[1].Value;

    private static string KindOf(string made) => made switch
    {
        "Counter" => "counter",
        "UpDownCounter" => "up-down counter",
        "Histogram" => "histogram",
        _ => "gauge",
    };

    // Meter.CreateCounter<long>("name" or Constant, [what is observed,] "unit", "description"
    [GeneratedRegex(@"[mM]eter\.Create(?:Observable)?(?<kind>Counter|UpDownCounter|Histogram|Gauge)(?:<\w+>)?\(\s*(?:""(?<literal>[^""]+)""|(?<constant>\w+)),\s*(?:\(\) => [^""]+,\s*)?""(?<unit>[^""]+)"",\s*""(?<description>[^""]+)""")]
    private static partial Regex Making();

    [GeneratedRegex(@"[mM]eter\.Create\w+[^\n]*")]
    private static partial Regex AnyMaking();
}
