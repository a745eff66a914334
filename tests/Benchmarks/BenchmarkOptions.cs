namespace VmoCluster.Benchmarks;

/// <summary>How much to measure.</summary>
public sealed record BenchmarkOptions
{
    /// <summary>Runs of each figure; the median is told.</summary>
    public int Runs { get; init; } = 3;

    /// <summary>Seconds of one run of a rate.</summary>
    public int Seconds { get; init; } = 4;

    /// <summary>Pages of the memory and space figures.</summary>
    public int Pages { get; init; } = 1_000_000;

    /// <summary>Bytes of one import or export.</summary>
    public long TransferBytes { get; init; } = 2L << 30;

    /// <summary>A depth to be measured beside those that always are; 0 for none.</summary>
    public int Depth { get; init; }
}
