using VmoCluster.Core.Machine;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>A machine on a silo. There may be one more of the same VMO on a silo that does not know yet that its session is dead.</summary>
public sealed class SimActivation(Koid koid, SimSilo silo, VmoMachine machine)
{
    public Koid Koid { get; } = koid;
    public SimSilo Silo { get; } = silo;
    public VmoMachine Machine { get; } = machine;

    /// <summary>Nothing reaches it any more.</summary>
    public bool IsGone { get; set; }
}
