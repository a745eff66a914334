namespace VmoCluster.Chaos.Failover;

/// <summary>How a silo goes.</summary>
internal enum Going
{
    /// <summary>kill -9.</summary>
    Killed,

    /// <summary>SIGSTOP: its connections stay.</summary>
    Frozen,

    /// <summary>SIGTERM.</summary>
    Left,
}

/// <summary>What is measured of silos that go.</summary>
internal sealed record FailoverOptions
{
    /// <summary>How often each way.</summary>
    public int Runs { get; init; } = 5;

    /// <summary>How many VMOs there are; a tenth of them is being written.</summary>
    public int Vmos { get; init; } = 1000;

    /// <summary>How long the writer of such a VMO rests between two writes.</summary>
    public TimeSpan WriteRest { get; init; } = TimeSpan.FromMilliseconds(200);

    public IReadOnlyList<Going> Ways { get; init; } = Enum.GetValues<Going>();
}
