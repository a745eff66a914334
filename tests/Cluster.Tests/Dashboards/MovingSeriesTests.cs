using Xunit;

namespace VmoCluster.Cluster.Tests.Dashboards;

/// <summary>P10 over a loaded cluster: panels that move, a table that lists what there is, calls that are one trace.</summary>
[Collection(LoadedCluster.Tests)]
public sealed class MovingSeriesTests(LoadedCluster cluster)
{
    [Fact]
    public async Task Every_query_of_every_panel_moves_while_silos_are_loaded()
    {
        var still = new List<string>();
        foreach (var query in GrafanaDashboard.Load().Queries)
        {
            var values = (await cluster.Prometheus.QueryAsync(query.For(rateSeconds: 5), cluster.From, cluster.To))
                .SelectMany(series => series.Values).Where(double.IsFinite).ToList();
            if (values.Distinct().Count() < 2 || values.Max() <= 0)
                still.Add($"{query} ({values.Count} values, {values.Distinct().Count()} different)");
        }

        Assert.True(still.Count == 0, $"these do not move:\n{string.Join('\n', still)}");
    }

    [Fact]
    public void Every_metric_silos_export_is_in_the_table_with_its_kind_and_attributes()
    {
        var table = TelemetryTable.Load().Metrics.ToDictionary(m => m.PrometheusName);
        foreach (var (name, (type, labels)) in cluster.Exported)
        {
            Assert.True(table.TryGetValue(name, out var row), $"{name} is not in dashboards/TELEMETRY.md");
            Assert.Equal(PrometheusType(row.Kind), type);
            Assert.Subset(row.Attributes.Select(a => a.Replace('.', '_')).ToHashSet(), labels);
        }
    }

    [Fact]
    public void Every_metric_of_the_table_is_exported_by_loaded_silos_or_is_rare()
    {
        var missing = TelemetryTable.Load().Metrics.Where(m => !cluster.Exported.ContainsKey(m.PrometheusName)).ToList();
        Assert.All(missing, m => Assert.True(m.IsRare, $"{m.Name} was not exported, and the table does not say that it is rare"));
        Assert.All(TelemetryTable.Load().Metrics.Except(missing).Where(m => !m.IsRare), m =>
            Assert.Superset(m.Attributes.Where(a => a != "error.type").Select(a => a.Replace('.', '_')).ToHashSet(), cluster.Exported[m.PrometheusName].Labels));
    }

    private static string PrometheusType(string kind) => kind switch
    {
        "counter" => "counter",
        "histogram" => "histogram",
        "gauge" or "up-down counter" => "gauge",
        _ => throw new InvalidOperationException($"'{kind}' is no kind"),
    };
}
