using System.Text.RegularExpressions;
using Xunit;

namespace VmoCluster.Cluster.Tests.Dashboards;

public partial class AlertTests
{
    [Fact]
    public async Task The_sample_configuration_is_one_that_Prometheus_takes() =>
        await RunPromtoolAsync("check", "config", Repository.PathOf("dashboards/prometheus/prometheus.yml"));

    [Fact]
    public async Task Every_alert_fires_when_it_should() =>
        await RunPromtoolAsync("test", "rules", Repository.PathOf("dashboards/prometheus/alerts.test.yml"));

    [Fact]
    public void Every_alert_has_a_test_that_expects_it()
    {
        var alerts = AlertName().Matches(Repository.Read("dashboards/prometheus/alerts.yml")).Select(m => m.Groups[1].Value).Order().ToList();
        var tested = FiringTest().Matches(Repository.Read("dashboards/prometheus/alerts.test.yml")).Select(m => m.Groups[1].Value).Distinct().Order();
        Assert.NotEmpty(alerts);
        Assert.Equal(alerts, tested);
    }

    private static async Task RunPromtoolAsync(params string[] arguments)
    {
        var (code, output) = await Command.RunAsync("promtool", arguments, Repository.Root);
        Assert.True(code == 0, output);
    }

    [GeneratedRegex(@"- alert: (\w+)")]
    private static partial Regex AlertName();

    // A test that expects nothing shows nothing: it must list an alert's labels.
    [GeneratedRegex(@"alertname: (\w+)\s+exp_alerts:\s+- exp_labels")]
    private static partial Regex FiringTest();
}
