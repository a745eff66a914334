namespace VmoCluster.Core.Machine;

/// <summary>Whoever waits for an answer. The shell derives from it; the core only hands it back.</summary>
public abstract class Ticket;
