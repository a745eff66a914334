using Xunit;

namespace VmoCluster.Cluster.Tests.Dashboards;

public class TelemetryTableTests
{
    [Fact]
    public void The_table_has_the_instruments_of_the_code_with_kind_and_unit_and_no_others()
    {
        var table = TelemetryTable.Load().Metrics.ToDictionary(m => m.Name);
        Assert.NotEmpty(DeclaredInstruments.All);
        foreach (var (name, kind, unit, description) in DeclaredInstruments.All)
        {
            Assert.True(table.TryGetValue(name, out var row), $"{name} is not in dashboards/TELEMETRY.md");
            Assert.Equal((name, kind, unit), (row.Name, row.Kind, row.Unit));
            Assert.False(string.IsNullOrWhiteSpace(description), $"{name} has no description");
        }

        Assert.Equal(table.Keys.Order(), DeclaredInstruments.All.Select(i => i.Name).Distinct().Order());
    }

    [Fact]
    public void A_rare_metric_is_an_instrument_of_the_code_and_one_of_trouble_has_an_alert()
    {
        var declared = DeclaredInstruments.All.Select(i => i.Name).ToHashSet();
        var alerts = Repository.Read("dashboards/prometheus/alerts.yml");
        foreach (var row in TelemetryTable.Load().Metrics.Where(m => m.IsRare))
        {
            Assert.Contains(row.Name, declared);
            Assert.True(!row.IsOfTrouble || alerts.Contains(row.PrometheusName, StringComparison.Ordinal), $"{row.Name} has no alert");
        }
    }
}
