namespace VmoCluster.Chaos.Overload;

/// <summary>What holds the cluster's capacity down, so that a machine can offer ten times as much.</summary>
internal enum Narrow
{
    /// <summary>The calls a silo lets in: what is too much is refused at once, nothing waits.</summary>
    Calls,

    /// <summary>What a silo has on its way to Redis: calls wait for that, and those that would wait for too long are refused.</summary>
    Store,
}

/// <summary>An overload.</summary>
internal sealed record OverloadOptions
{
    public Narrow Narrow { get; init; }

    public int Silos { get; init; } = 3;

    public int Vmos { get; init; } = 100;

    /// <summary>
    /// How much later than it is sent everything comes to and from Redis. A call needs one round trip, so a silo that serves so many at once
    /// serves as many in twice this time.
    /// </summary>
    public TimeSpan StoreDelay { get; init; } = TimeSpan.FromMilliseconds(150);

    /// <summary>
    /// What a silo is held down to: calls at once, or requests on their way to Redis, of which one carries the calls of a message. Three silos, 192 calls, or
    /// twelve messages of 16, in 300 ms: about 2,000 a second.
    /// </summary>
    public int AtOnce { get => field > 0 ? field : Narrow == Narrow.Calls ? 192 : 12; init; }

    /// <summary>Writes of a hundred calls; the others are reads. Where the way to Redis is narrow there are none: a VMO's writes would share commits, and the capacity would grow with the load.</summary>
    public int WritePercent => Narrow == Narrow.Calls ? 50 : 0;

    public int OfferedPerSecond { get; init; } = 20_000;

    public TimeSpan Length { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Each call's.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a closed loop of each number of callers looks for the peak.</summary>
    public TimeSpan PeakLength { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Numbers of calls under way, of which the one that gets most through is the peak.</summary>
    public IReadOnlyList<int> PeakCalls { get; init; } = [400, 600, 800, 1600, 3200];
}
