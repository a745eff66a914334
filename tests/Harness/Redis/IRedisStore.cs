namespace VmoCluster.Harness;

/// <summary>The Redis under a cluster, whatever it is made of, as faults and onlookers see it.</summary>
public interface IRedisStore : IAsyncDisposable
{
    /// <summary>All servers that hold data.</summary>
    IReadOnlyList<RedisServer> Nodes { get; }

    /// <summary>Those that watch over them.</summary>
    IReadOnlyList<RedisServer> Sentinels => [];

    /// <summary>A StackExchange.Redis configuration.</summary>
    string Configuration { get; }

    /// <summary>Whether a silent primary is replaced by one of its replicas.</summary>
    bool IsReplaced { get; }

    /// <summary>The primaries of today: one, or one for each part of the slots.</summary>
    Task<IReadOnlyList<RedisServer>> PrimariesAsync();

    /// <summary>Makes a replica of a primary that is well, the one that a number chooses, the primary; it is given when it is.</summary>
    Task<RedisServer> FailOverAsync(int seed = 0);

    /// <summary>Waits until all that is to be there is there: of each primary all replicas, with all its data.</summary>
    Task WaitUntilWholeAsync();
}
