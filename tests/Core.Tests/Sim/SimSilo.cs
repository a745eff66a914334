using VmoCluster.Core.Live;
using VmoCluster.Core.Machine;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>What the VMOs of one silo share in a simulation: memory, grants, a clock, and the session that proves it alive.</summary>
public sealed class SimSilo(ulong session, int cachePages, SimBudget budget, HeldGrants grants, double rate)
{
    public ulong Session { get; } = session;
    public HeldGrants Grants { get; } = grants;
    public SimMaps Maps { get; } = new(20);
    public SimCache Cache { get; } = new(cachePages);
    public SiloMemory Memory => new(Cache, budget, Maps, Grants);

    /// <summary>It does nothing, and hears nothing, until it goes on.</summary>
    public bool IsFrozen { get; set; }

    /// <summary>What was said to it meanwhile.</summary>
    public List<Action> Inbox { get; } = [];

    /// <summary>Until when its lease runs, by its own clock.</summary>
    public long LeaseUntil { get; set; } = long.MaxValue;

    /// <summary>Recalls that it has heard of, and when, by its own clock.</summary>
    public List<(Task Done, long Since)> Recalls { get; } = [];

    /// <summary>When it renews next, by its own clock.</summary>
    public long RenewAt { get; set; }

    /// <summary>Counters of other sessions, and since when, by its own clock, it has seen them there.</summary>
    public Dictionary<ulong, (long Counter, long Since)> Seen { get; } = [];

    /// <summary>Its own clock, which goes a little faster or slower than those of others.</summary>
    public long Clock(long milliseconds) => (long)(milliseconds * rate);
}
