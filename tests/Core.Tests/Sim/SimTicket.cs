using VmoCluster.Core.Machine;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>Whoever waits in a simulation.</summary>
public sealed class SimTicket : Ticket
{
    public object? Reply { get; set; }
}
