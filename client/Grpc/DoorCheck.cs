using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace VmoCluster.GrpcDoor;

/// <summary>Whether the door stays open: until the host begins to stop, so that callers are led elsewhere before connections end.</summary>
internal sealed class DoorCheck(IHostApplicationLifetime lifetime) : IHealthCheck
{
    public const string Name = "grpc-door";

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(lifetime.ApplicationStopping.IsCancellationRequested ? HealthCheckResult.Unhealthy("the node is stopping")
            : HealthCheckResult.Healthy());
}
