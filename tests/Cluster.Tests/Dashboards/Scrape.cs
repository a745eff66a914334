using System.Globalization;
using System.Text.RegularExpressions;

namespace VmoCluster.Cluster.Tests.Dashboards;

/// <summary>What one silo's /metrics said: our metrics by Prometheus name, each with its type and the attributes its series carried.</summary>
internal sealed partial class Scrape
{
    private readonly Dictionary<string, (string Type, HashSet<string> Labels)> _metrics = [];
    private readonly Dictionary<string, double> _values = [];

    public IReadOnlyDictionary<string, (string Type, HashSet<string> Labels)> Metrics => _metrics;

    public static async Task<Scrape> OfAsync(Uri http)
    {
        using var client = new HttpClient();
        var scrape = new Scrape();
        foreach (var line in (await client.GetStringAsync(new Uri(http, "/metrics"))).Split('\n'))
        {
            if (TypeLine().Match(line) is { Success: true } type)
                scrape._metrics[type.Groups[1].Value] = (type.Groups[2].Value, []);
            else if (SeriesLine().Match(line) is { Success: true } series)
            {
                scrape.Take(series.Groups[1].Value, LabelName().Matches(series.Groups[2].Value).Select(l => l.Groups[1].Value));
                scrape._values[series.Groups[1].Value] = scrape.Sum(series.Groups[1].Value) + double.Parse(series.Groups[3].Value, CultureInfo.InvariantCulture);
            }
        }

        return scrape;
    }

    /// <summary>A metric's series added up; 0 if it has none.</summary>
    public double Sum(string metric) => _values.GetValueOrDefault(metric);

    // A histogram's series have suffixes; le and the exporter's own labels are not ours.
    private void Take(string series, IEnumerable<string> labels)
    {
        var name = _metrics.ContainsKey(series) ? series : HistogramSuffix().Replace(series, "");
        _metrics[name].Labels.UnionWith(labels.Where(l => l != "le" && !l.StartsWith("otel_", StringComparison.Ordinal)));
    }

    [GeneratedRegex(@"^# TYPE (vmo_\w+) (\w+)")]
    private static partial Regex TypeLine();

    [GeneratedRegex(@"^(vmo_\w+)(\{.*\})? (\S+)")]
    private static partial Regex SeriesLine();

    [GeneratedRegex(@"[{,](\w+)=""")]
    private static partial Regex LabelName();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex HistogramSuffix();
}
