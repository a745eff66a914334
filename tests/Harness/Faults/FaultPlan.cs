namespace VmoCluster.Harness;

/// <summary>What a schedule is made from. The same plan gives the same schedule.</summary>
public sealed record FaultPlan
{
    public required int Seed { get; init; }

    /// <summary>The kinds drawn from, each as often as the others.</summary>
    public required IReadOnlyList<FaultKind> Kinds { get; init; }

    /// <summary>How many silos there are.</summary>
    public required int Silos { get; init; }

    /// <summary>No fault begins later, and all have ended then.</summary>
    public required TimeSpan Length { get; init; }

    /// <summary>Between two beginnings, on average; they come by chance, as calls do.</summary>
    public TimeSpan MeanInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A fault lasts half of it to one and a half of it.</summary>
    public TimeSpan MeanDuration { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Never are more silos down at once; fewer than all.</summary>
    public int MaxDown { get; init; } = 1;

    /// <summary>What a silo is given to serve again after its fault before it counts as up.</summary>
    public TimeSpan Recovery { get; init; } = TimeSpan.FromSeconds(10);
}
