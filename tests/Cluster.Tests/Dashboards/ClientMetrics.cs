using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Metrics;

namespace VmoCluster.Cluster.Tests.Dashboards;

/// <summary>This process as a service that uses the client library and shows its metrics to Prometheus, as a service would.</summary>
internal sealed class ClientMetrics : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ClientMetrics(WebApplication app) => _app = app;

    public Uri Http => new(_app.Urls.First());

    public static async Task<ClientMetrics> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter(Telemetry.Name).AddPrometheusExporter());
        var app = builder.Build();
        app.MapPrometheusScrapingEndpoint("/metrics");
        await app.StartAsync();
        return new(app);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
