namespace VmoCluster.OrleansClient;

/// <summary>Where an external Orleans client finds its cluster. It must reach Redis and every silo's gateway: it is inside the trust boundary.</summary>
public sealed record OrleansClusterOptions
{
    /// <summary>A StackExchange.Redis configuration string of the Redis that holds the cluster's membership.</summary>
    public required string Redis { get; init; }

    /// <summary>The cluster's id, as its silos have it.</summary>
    public string ClusterId { get; init; } = "vmo";

    /// <summary>The service's id, as its silos have it.</summary>
    public string ServiceId { get; init; } = "vmo";

    /// <summary>How long connecting tries to find a gateway. Default 15 s.</summary>
    public TimeSpan ConnectWithin { get; init; } = TimeSpan.FromSeconds(15);
}
