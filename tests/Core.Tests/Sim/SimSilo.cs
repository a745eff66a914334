using VmoCluster.Core.Live;
using VmoCluster.Core.Machine;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>What the VMOs of one silo share in a simulation: memory, grants, and the session that proves it alive.</summary>
public sealed class SimSilo(ulong session, int cachePages, SimBudget budget, HeldGrants grants)
{
    public ulong Session { get; } = session;
    public HeldGrants Grants { get; } = grants;
    public SimMaps Maps { get; } = new(20);
    public SimCache Cache { get; } = new(cachePages);
    public SiloMemory Memory => new(Cache, budget, Maps, Grants);
}
