using Microsoft.Extensions.Hosting;
using VmoCluster.Hosting.Nodes;
using VmoCluster.Hosting.Sessions;

namespace VmoCluster.Hosting.Health;

/// <summary>
/// Whether this node lives, has started, and can take calls. Liveness asks nobody: a slow Redis must not have every silo restarted.
/// </summary>
public sealed class NodeHealth(NodeStore store, SiloSession session, ILocalSiloDetails silo, IClusterMembershipService membership, IHostApplicationLifetime lifetime)
{
    /// <summary>Joined the cluster.</summary>
    public bool IsStarted => membership.CurrentSnapshot.Members.TryGetValue(silo.SiloAddress, out var me) && me.Status == SiloStatus.Active;

    /// <summary>Whether calls are answered here, and if not, what stands against it.</summary>
    public bool IsReady => WhyNotReady is null;

    /// <summary>What keeps this node from answering calls; null if nothing does.</summary>
    public string? WhyNotReady =>
        lifetime.ApplicationStopping.IsCancellationRequested ? "the node is leaving"
        : !IsStarted ? "the node has not joined its cluster"
        : !store.Redis.IsReachable ? "the store does not answer"
        : store.Redis.Condition.Refusal is { } refusal ? refusal
        : !session.IsValid(session.Id) ? "the node's session is not valid"
        : null;

    /// <summary>This node's name.</summary>
    public string Name => silo.Name;

    /// <summary>Active silos, as this one sees it.</summary>
    public int ActiveSilos => membership.CurrentSnapshot.Members.Count(member => member.Value.Status == SiloStatus.Active);
}
