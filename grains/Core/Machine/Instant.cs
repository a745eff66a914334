namespace VmoCluster.Core.Machine;

/// <summary>The time of a step, from outside.</summary>
/// <param name="UnixMs">The wall clock, for expiry and request ages.</param>
/// <param name="MonotonicMs">A clock that never steps, for deadlines.</param>
public readonly record struct Instant(long UnixMs, long MonotonicMs);
