namespace VmoCluster.Cluster.Tests.Dashboards;

/// <summary>A row of the metrics table: kind is counter, up-down counter, histogram or gauge.</summary>
internal sealed record MetricRow(string Name, string Kind, string Unit, IReadOnlySet<string> Attributes, string Meaning)
{
    /// <summary>It moves only when something of ours is wrong, so an alert has it, not a panel.</summary>
    public bool IsOfTrouble => Meaning.StartsWith("trouble:", StringComparison.Ordinal);

    /// <summary>A cluster may run for long without it: silos export it once there is something to count.</summary>
    public bool IsRare => IsOfTrouble || Meaning.StartsWith("rare:", StringComparison.Ordinal);

    /// <summary>The name under which the Prometheus exporter shows it; a histogram's without the suffix of its series.</summary>
    public string PrometheusName
    {
        get
        {
            var unit = Unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
            var name = Name.Replace('.', '_');
            if (unit.Length > 0 && !name.EndsWith(unit, StringComparison.Ordinal))
                name += unit;
            return Kind == "counter" ? name + "_total" : name;
        }
    }
}

/// <summary>A row of the spans table. The name ends in &lt;...&gt; where it has many endings.</summary>
internal sealed record SpanRow(string Name, string Kind, IReadOnlySet<string> Attributes)
{
    public bool Covers(string span)
    {
        var hole = Name.IndexOf('<', StringComparison.Ordinal);
        return hole < 0 ? span == Name : span.StartsWith(Name[..hole], StringComparison.Ordinal) && span.Length > hole;
    }
}

/// <summary>dashboards/TELEMETRY.md: the tables under "Metrics" and "Spans".</summary>
internal sealed class TelemetryTable
{
    public required IReadOnlyList<MetricRow> Metrics { get; init; }

    public required IReadOnlyList<SpanRow> Spans { get; init; }

    public static TelemetryTable Load()
    {
        var lines = Repository.Read("dashboards/TELEMETRY.md").Split('\n');
        return new()
        {
            Metrics = [.. Rows(lines, "## Metrics").Select(c => new MetricRow(Name(c[0]), c[1], c[2], Names(c[3]), c[4]))],
            Spans = [.. Rows(lines, "## Spans").Select(c => new SpanRow(Name(c[0]), c[1], Names(c[2])))],
        };
    }

    // The rows between a heading and the next, without the table's own two first lines.
    private static IEnumerable<string[]> Rows(string[] lines, string heading) =>
        lines.SkipWhile(l => l != heading).Skip(1).TakeWhile(l => !l.StartsWith("## ", StringComparison.Ordinal))
            .Where(l => l.StartsWith('|')).Skip(2).Select(l => l.Trim('|').Split('|').Select(c => c.Trim()).ToArray());

    private static string Name(string cell) => cell.Trim('`');

    private static HashSet<string> Names(string cell) => [.. cell.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(n => n.Trim('`', ','))];
}
