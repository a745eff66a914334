using Xunit;

namespace VmoCluster.Cluster.Tests.Dashboards;

public class TelemetryTableTests
{
    [Fact]
    public void Every_instrument_of_the_code_is_in_the_table_with_its_kind_and_unit_and_says_what_it_means()
    {
        var table = TelemetryTable.Load().Metrics.ToDictionary(m => m.Name);
        Assert.NotEmpty(PublishedInstruments.All);
        foreach (var (name, kind, unit, description) in PublishedInstruments.All)
        {
            Assert.True(table.TryGetValue(name, out var row), $"{name} is not in dashboards/TELEMETRY.md");
            Assert.Equal((name, kind, unit), (row.Name, row.Kind, row.Unit));
            Assert.False(string.IsNullOrWhiteSpace(description), $"{name} has no description");
        }
    }

    [Fact]
    public void A_rare_metric_is_an_instrument_of_the_code_and_one_of_trouble_has_an_alert()
    {
        var published = PublishedInstruments.All.Select(i => i.Name).ToHashSet();
        var alerts = Repository.Read("dashboards/prometheus/alerts.yml");
        foreach (var row in TelemetryTable.Load().Metrics.Where(m => m.IsRare))
        {
            Assert.Contains(row.Name, published);
            Assert.True(!row.IsOfTrouble || alerts.Contains(row.PrometheusName, StringComparison.Ordinal), $"{row.Name} has no alert");
        }
    }
}
