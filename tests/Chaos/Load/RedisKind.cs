namespace VmoCluster.Chaos.Load;

/// <summary>What the Redis under a run is made of. Where a primary is replaced, each write is acknowledged when all replicas have it: so none is lost.</summary>
internal enum RedisKind
{
    /// <summary>One server.</summary>
    Single,

    /// <summary>A primary, two replicas and three Sentinels.</summary>
    Sentinels,

    /// <summary>A Redis Cluster of three primaries with a replica each.</summary>
    Cluster,
}
