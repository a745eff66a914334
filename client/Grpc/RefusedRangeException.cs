namespace VmoCluster.GrpcDoor;

/// <summary>A WriteRange that failed behind so many durable bytes.</summary>
internal sealed class RefusedRangeException(Outcome outcome, ulong written) : Exception(outcome.Message)
{
    public Outcome Outcome { get; } = outcome;
    public ulong Written { get; } = written;
}
