namespace VmoCluster.GrpcDoor;

/// <summary>What a gRPC door lets in.</summary>
public sealed record VmoDoorOptions
{
    /// <summary>The operator's credential of this node; null: nobody is operator through this door. Never printed.</summary>
    public string? OperatorToken { get; init; }

    /// <summary>Calls under way through this door, streams counted as one. Beyond: ShouldWait. Default 8192.</summary>
    public int CallsMax { get; init; } = 8192;

    /// <summary>Bytes of pages of these calls. Beyond: ShouldWait. At least 16 MiB, default 128 MiB.</summary>
    public long CallBytesMax { get; init; } = 128L << 20;

    /// <summary>Connections to the process's doors, all together; further ones are closed. Each may have a few messages half read. Default 4096.</summary>
    public int ConnectionsMax { get; init; } = 4096;

    /// <summary>Calls under way on one connection. Beyond: ShouldWait. Default 1024.</summary>
    public int CallsPerConnectionMax { get; init; } = 1024;

    /// <summary>Waits and signals under way in one session. Beyond: ShouldWait. Default 1024.</summary>
    public int CallsPerSessionMax { get; init; } = 1024;

    /// <summary>Bytes of one message on the wire; larger ones are refused by gRPC itself (RESOURCE_EXHAUSTED). Default 1 MiB.</summary>
    public int MessageBytesMax { get; init; } = Limits.CallBytesMax;
}
