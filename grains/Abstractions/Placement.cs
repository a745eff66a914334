namespace VmoCluster;

/// <summary>Which grain answers for what.</summary>
public static class Placement
{
    /// <summary>The registry's shard for a VMO's handles.</summary>
    public static long RegistryShard(Koid koid) => (long)(koid.Value % Limits.RegistryShards);

    /// <summary>The registry's shard for a creation: by its client, so that a repeat comes to the same shard.</summary>
    public static long RegistryShard(RequestId request) => (long)(request.Client % Limits.RegistryShards);

    /// <summary>The grain key of a VMO.</summary>
    public static long VmoKey(Koid koid) => unchecked((long)koid.Value);
}
