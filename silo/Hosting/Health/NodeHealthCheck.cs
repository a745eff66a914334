using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace VmoCluster.Hosting.Health;

/// <summary>This node's readiness in ASP.NET's form, which gRPC's health service shows.</summary>
public sealed class NodeHealthCheck(NodeHealth health) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(health.WhyNotReady is { } why ? HealthCheckResult.Unhealthy(why) : HealthCheckResult.Healthy());
}
