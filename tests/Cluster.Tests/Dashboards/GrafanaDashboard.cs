using System.Text.Json;

namespace VmoCluster.Cluster.Tests.Dashboards;

/// <summary>One query of one panel.</summary>
internal sealed record PanelQuery(string Panel, string Expression)
{
    /// <summary>The query as Prometheus takes it: every silo, and rates over <paramref name="rateSeconds"/>.</summary>
    public string For(int rateSeconds) => Expression
        .Replace("$__rate_interval", $"{rateSeconds}s", StringComparison.Ordinal)
        .Replace("$instance", ".*", StringComparison.Ordinal);

    public override string ToString() => $"{Panel}: {Expression}";
}

/// <summary>dashboards/grafana/vmo-cluster.json.</summary>
internal sealed class GrafanaDashboard
{
    private GrafanaDashboard(JsonElement root) => Root = root;

    public JsonElement Root { get; }

    public IEnumerable<JsonElement> Panels => Root.GetProperty("panels").EnumerateArray().Where(p => p.GetProperty("type").GetString() != "row");

    public IEnumerable<PanelQuery> Queries =>
        from panel in Panels
        from target in panel.GetProperty("targets").EnumerateArray()
        select new PanelQuery(panel.GetProperty("title").GetString()!, target.GetProperty("expr").GetString()!);

    public static GrafanaDashboard Load() =>
        new(JsonDocument.Parse(Repository.Read("dashboards/grafana/vmo-cluster.json")).RootElement);
}
