using System.Net;
using VmoCluster.Hosting;
using VmoCluster.Hosting.Health;

namespace VmoCluster.Server;

/// <summary>What the HTTP port shows: health for probes, metrics for Prometheus, a page for people.</summary>
internal static class StatusPages
{
    public static void Map(IApplicationBuilder app)
    {
        app.UseRouting();
        app.UseEndpoints(pages =>
        {
            pages.MapGet("/health/live", () => Results.Text("alive"));
            pages.MapGet("/health/startup", (NodeHealth health) => Answer(health.IsStarted ? null : "the node has not joined its cluster"));
            pages.MapGet("/health/ready", (NodeHealth health) => Answer(health.WhyNotReady));
            pages.MapGet("/health", (NodeHealth health) => Answer(health.WhyNotReady));
            pages.MapPrometheusScrapingEndpoint("/metrics");
            pages.MapGet("/", (NodeHealth health) => Results.Content(Page(health), "text/html; charset=utf-8"));
        });
    }

    private static IResult Answer(string? trouble) =>
        trouble is null ? Results.Text("ok") : Results.Text(trouble, statusCode: StatusCodes.Status503ServiceUnavailable);

    private static string Page(NodeHealth health) =>
        $"""
        <!doctype html>
        <html lang="en">
        <head><meta charset="utf-8"><title>VMO Cluster</title><style>body{"{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:3em auto;padding:0 1em}"}</style></head>
        <body>
        <h1>VMO Cluster {WebUtility.HtmlEncode(VmoVersion.Text)}</h1>
        <p>Node <b>{WebUtility.HtmlEncode(health.Name)}</b> is {WebUtility.HtmlEncode(health.WhyNotReady is { } why ? $"not ready: {why}" : "ready")}. Active silos: {health.ActiveSilos}.</p>
        <ul>
        <li><a href="/health/ready">/health/ready</a>, <a href="/health/startup">/health/startup</a>, <a href="/health/live">/health/live</a></li>
        <li><a href="/metrics">/metrics</a> for Prometheus</li>
        </ul>
        </body>
        </html>
        """;
}
