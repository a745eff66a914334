using System.Globalization;

namespace VmoCluster.Harness;

/// <summary>What can go wrong with a cluster.</summary>
public enum FaultKind
{
    /// <summary>kill -9 of a silo; started again after the duration.</summary>
    Kill,

    /// <summary>A silo stands still for the duration.</summary>
    Pause,

    /// <summary>A silo and Redis do not reach each other.</summary>
    Partition,

    /// <summary>What a silo sends to the other silos does not arrive; what they send does.</summary>
    OneWayPartition,

    /// <summary>What passes between a silo and Redis comes late.</summary>
    Delay,

    /// <summary>A fifth of the packets between a silo and everybody else is lost.</summary>
    Loss,

    /// <summary>A silo's connections to Redis stay, and new ones are taken, but nothing passes.</summary>
    HalfOpen,

    /// <summary>A silo's connections to Redis are reset one after the other, each in the middle of something.</summary>
    CutMidFrame,

    /// <summary>kill -9 of Redis' primary, or of one of them; started again after the duration.</summary>
    RedisKill,

    /// <summary>Redis' primary, or one of them, stands still for the duration.</summary>
    RedisPause,

    /// <summary>A replica is made the primary, by Sentinels or in a Redis Cluster.</summary>
    FailOver,

    /// <summary>kill -9 of Redis, the end of its append-only file is lost, and it is started again after the duration.</summary>
    Truncate,

    /// <summary>Each silo in turn is stopped by SIGTERM and started again.</summary>
    RollingRestart,

    /// <summary>A silo and the other silos do not reach each other; it and Redis do.</summary>
    Isolate,

    /// <summary>A silo's connections to clients are reset one after the other, each in the middle of something.</summary>
    ClientCut,
}

/// <summary>One fault of a schedule.</summary>
/// <param name="At">When it begins, from the schedule's begin.</param>
/// <param name="Target">The silo's index; <see cref="NoTarget"/> for Redis' faults and those of all silos.</param>
/// <param name="Duration">How long it lasts.</param>
/// <param name="Seed">For what the fault itself leaves to chance.</param>
public sealed record Fault(TimeSpan At, FaultKind Kind, int Target, TimeSpan Duration, int Seed)
{
    public const int NoTarget = -1;

    public TimeSpan End => At + Duration;

    /// <summary>Whether it is of one silo.</summary>
    public bool IsOfSilo => Kind is FaultKind.Kill or FaultKind.Pause or FaultKind.Partition or FaultKind.OneWayPartition or FaultKind.Delay or FaultKind.Loss or FaultKind.HalfOpen or FaultKind.CutMidFrame
        or FaultKind.Isolate or FaultKind.ClientCut;

    /// <summary>How many silos do not serve while it lasts, Redis' own faults apart.</summary>
    public int Down => Kind is FaultKind.Kill or FaultKind.Pause or FaultKind.Partition or FaultKind.OneWayPartition or FaultKind.Loss or FaultKind.HalfOpen or FaultKind.RollingRestart or FaultKind.Isolate ? 1 : 0;

    public override string ToString()
    {
        var target = Target == NoTarget ? "" : $" silo {Target}";
        return string.Create(CultureInfo.InvariantCulture, $"{At.TotalSeconds,9:F3} s {Kind}{target} for {Duration.TotalSeconds:F3} s (seed {Seed})");
    }
}
