namespace VmoCluster.GrpcDoor;

/// <summary>What a gRPC door lets in.</summary>
public sealed record VmoDoorOptions
{
    /// <summary>The operator's credential of this node; null: nobody is operator through this door. Never printed.</summary>
    public string? OperatorToken { get; init; }

    /// <summary>Calls under way through this door, streams counted as one. Beyond: ShouldWait. Default 8192.</summary>
    public int CallsMax { get; init; } = 8192;

    /// <summary>Calls under way on one connection. Beyond: ShouldWait. Default 1024.</summary>
    public int CallsPerConnectionMax { get; init; } = 1024;

    /// <summary>Waits and signals under way in one session. Beyond: ShouldWait. Default 1024.</summary>
    public int CallsPerSessionMax { get; init; } = 1024;

    /// <summary>Bytes of one message on the wire; larger ones are refused by gRPC itself (RESOURCE_EXHAUSTED). Default 1 MiB.</summary>
    public int MessageBytesMax { get; init; } = Limits.CallBytesMax;
}
