using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using VmoCluster.Hosting.Settings;

namespace VmoCluster.Hosting.Nodes;

/// <summary>Metrics for Prometheus in any case; metrics and traces over OTLP where <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> says where to.</summary>
internal static class NodeTelemetry
{
    private const string OtlpVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    public static void Add(IServiceCollection services, VmoNodeOptions options)
    {
        var isExported = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(OtlpVariable));
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("vmo-cluster", serviceVersion: VmoVersion.Text, serviceInstanceId: options.SiloName))
            .WithMetrics(metrics =>
            {
                metrics.AddMeter(Telemetry.Name, "Microsoft.Orleans").AddRuntimeInstrumentation().AddAspNetCoreInstrumentation().AddPrometheusExporter();
                if (isExported)
                {
                    metrics.AddOtlpExporter();
                }
            });

        // A span that nobody will see costs a third of a small call: without an exporter there are none.
        if (!isExported)
        {
            return;
        }

        telemetry.WithTracing(traces =>
        {
            // Orleans' Runtime source is left out: it shows every look-up and probe. A caller's decision to trace is followed; of those
            // who come without one, a share is traced.
            traces.AddSource(Telemetry.Name, "Microsoft.Orleans.Application", "Microsoft.Orleans.Lifecycle")
                .SetSampler(new ParentBasedSampler(new TraceIdRatioBasedSampler(options.TraceRatio)))
                .AddAspNetCoreInstrumentation(http => http.Filter = IsWorthATrace)
                .AddOtlpExporter();
        });
    }

    private static bool IsWorthATrace(HttpContext context) =>
        !context.Request.Path.StartsWithSegments("/metrics") && !context.Request.Path.StartsWithSegments("/health");
}
