using System.Text.RegularExpressions;
using Xunit;

namespace VmoCluster.Cluster.Tests.Dashboards;

public partial class DashboardFileTests
{
    private readonly GrafanaDashboard _dashboard = GrafanaDashboard.Load();

    [Fact]
    public void The_dashboard_keeps_its_uid_and_its_panels_their_ids()
    {
        Assert.Equal("vmo-cluster", _dashboard.Root.GetProperty("uid").GetString());
        var ids = _dashboard.Root.GetProperty("panels").EnumerateArray().Select(p => p.GetProperty("id").GetInt32()).ToList();
        Assert.Equal(ids.Distinct(), ids);
    }

    [Fact]
    public void Every_panel_says_what_it_shows_and_in_which_unit()
    {
        foreach (var panel in _dashboard.Panels)
        {
            var title = panel.GetProperty("title").GetString();
            Assert.False(string.IsNullOrWhiteSpace(panel.GetProperty("description").GetString()), $"'{title}' has no description");
            var unit = panel.GetProperty("fieldConfig").GetProperty("defaults").GetProperty("unit").GetString();
            Assert.False(string.IsNullOrWhiteSpace(unit), $"'{title}' has no unit");
        }
    }

    [Fact]
    public void Every_metric_of_a_panel_or_an_alert_is_in_the_table_and_every_metric_of_the_table_is_on_a_panel_unless_it_is_rare()
    {
        var table = TelemetryTable.Load();
        var known = table.Metrics.ToDictionary(m => m.PrometheusName);
        var shown = _dashboard.Queries.SelectMany(q => MetricNames(q.Expression)).ToHashSet();
        var alerted = MetricNames(Repository.Read("dashboards/prometheus/alerts.yml"));
        Assert.Empty(shown.Concat(alerted).Except(known.Keys));
        Assert.Empty(known.Values.Where(m => !m.IsRare).Select(m => m.PrometheusName).Except(shown));
    }

    // Histograms are queried by their series; the table has their base names.
    private static IEnumerable<string> MetricNames(string text) =>
        MetricName().Matches(text).Select(m => HistogramSuffix().Replace(m.Value, ""));

    [GeneratedRegex(@"\bvmo_[a-z_]+(?=\{)")]
    private static partial Regex MetricName();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex HistogramSuffix();
}
