namespace VmoCluster.Hosting.Tests.Interleaving;

/// <summary>Something a silo does that takes several steps: a renewal, a look at the others, an acquisition, a leave.</summary>
internal sealed class Running(PlayedSilo silo, string what)
{
    public PlayedSilo Silo { get; } = silo;

    public string What { get; } = what;

    public Task Task { get; set; } = Task.CompletedTask;

    /// <summary>In how many places it rests until the scheduler lets it go on.</summary>
    public int Resting { get; set; }
}

/// <summary>A place where something rests: on its way to the store, on its way back, or an activation that takes its time to give up.</summary>
internal sealed record Rest(Running Who, TaskCompletionSource GoOn, bool IsGivingUp);
