using VmoCluster.Harness;

namespace VmoCluster.Chaos.Load;

/// <summary>How long, how many, and what goes wrong.</summary>
internal sealed record ChaosOptions
{
    public int Seed { get; init; } = Environment.TickCount & 0xFFFFFF;

    public TimeSpan Length { get; init; } = TimeSpan.FromMinutes(1);

    public int Families { get; init; } = 24;

    public int Callers { get; init; } = 12;

    /// <summary>Callers that share one client; with more than one, their calls are joined.</summary>
    public int CallersPerClient { get; init; } = 1;

    /// <summary>What each silo is told besides.</summary>
    public IReadOnlyList<string> SiloArguments { get; init; } = [];

    public long CallsMost { get; init; } = 3_000_000;

    /// <summary>The kinds of faults; all that are possible here, but for those that lose what was acknowledged, without any.</summary>
    public IReadOnlyList<FaultKind>? Kinds { get; init; }

    /// <summary>Told faults in the place of a seed's.</summary>
    public IReadOnlyList<Fault>? Schedule { get; init; }

    /// <summary>
    /// Whether what was acknowledged may be lost by Redis itself, which then stands as it was some seconds before. No order of calls explains that; what is judged is that
    /// nothing is torn, no call finds damage, the store is whole, and what is charged is what is stored.
    /// </summary>
    public bool MayLose { get; init; }

    public TimeSpan MeanInterval { get; init; } = TimeSpan.FromSeconds(8);

    public TimeSpan MeanDuration { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How late ZERO_CHILDREN may be: what a silo's death keeps waiting, and what its heir has to do first.</summary>
    public TimeSpan SignalLateBy { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long after the last fault it may take until all is answered and the store is in order by itself.</summary>
    public TimeSpan HealedWithin { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>What the silos' Redis is made of.</summary>
    public RedisKind Redis { get; init; }

    /// <summary>A client's deadline.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(10);
}
