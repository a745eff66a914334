namespace VmoCluster.Chaos.Redis;

/// <summary>How a primary is lost.</summary>
internal enum PrimaryEnd
{
    /// <summary>kill -9; the Sentinels find it silent.</summary>
    Killed,

    /// <summary>The same, after one replica has stood still for some seconds and goes on only then.</summary>
    KilledOneBehind,

    /// <summary>The same, after all replicas have.</summary>
    KilledAllBehind,

    /// <summary>SENTINEL FAILOVER while it is well: it takes writes for a moment after a replica was promoted.</summary>
    Asked,
}

/// <summary>What is counted of acknowledged writes over failovers of Redis.</summary>
internal sealed record RedisFailoverOptions
{
    /// <summary>How many failovers, the ways in turn.</summary>
    public int Runs { get; init; } = 100;

    /// <summary>What the silos are told.</summary>
    public string Durability { get; init; } = "primary";

    /// <summary>The ways a primary is lost.</summary>
    public IReadOnlyList<PrimaryEnd> Ends { get; init; } = [PrimaryEnd.Killed, PrimaryEnd.KilledOneBehind, PrimaryEnd.Killed, PrimaryEnd.KilledAllBehind, PrimaryEnd.Asked];

    /// <summary>Silos; each has writers.</summary>
    public int Silos { get; init; } = 2;

    /// <summary>Replicas of Redis. Three Sentinels watch.</summary>
    public int Replicas { get; init; } = 2;
}
