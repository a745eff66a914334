namespace VmoCluster.OrleansClient;

/// <summary>Where an external Orleans client finds its cluster. It must reach Redis and every silo's gateway: it is inside the trust boundary.</summary>
public sealed record OrleansClusterOptions
{
    /// <summary>A StackExchange.Redis configuration string of the Redis that holds the cluster's membership.</summary>
    public required string Redis { get; init; }

    /// <summary>What the cluster's keys in Redis begin with, as its silos have it.</summary>
    public string Prefix { get; init; } = "vmo:";

    /// <summary>The cluster's id, where its silos were given one; null: what follows from the store's id, as silos do it.</summary>
    public string? ClusterId { get; init; }

    /// <summary>How long connecting tries to find a gateway. Default 15 s.</summary>
    public TimeSpan ConnectWithin { get; init; } = TimeSpan.FromSeconds(15);
}
