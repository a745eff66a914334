namespace VmoCluster.Messages;

/// <summary>Creates a VMO.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Create")]
public sealed record CreateCall
{
    /// <summary>The head; its secret is the new handle's, made by the caller, so that a repeat gives the same handle.</summary>
    [Id(0)] public CallHead Head { get; init; }

    /// <summary>Bytes, rounded up to pages.</summary>
    [Id(1)] public ulong Size { get; init; }

    /// <summary>Raw option bits; unknown ones are InvalidArgs.</summary>
    [Id(2)] public VmoOptions Options { get; init; }

    /// <summary>The name, cut to 31 bytes.</summary>
    [Id(3)] public string Name { get; init; } = "";

    /// <summary>Labels, within the limits.</summary>
    [Id(4)] public Dictionary<string, string>? Labels { get; init; }

    /// <summary>The creator takes the handle's leak upon itself: it need not be confirmed. For callers that cannot confirm.</summary>
    [Id(5)] public bool Confirmed { get; init; }

    /// <summary>The lineage of the store that the koid was taken in, put in by the handle registry: in another it may be given out anew.</summary>
    [Id(6)] public long Lineage { get; init; }
}

/// <summary>The new VMO.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Created")]
public sealed record CreateReply
{
    [Id(0)] public Outcome Outcome { get; init; }
    [Id(1)] public Koid Koid { get; init; }

    /// <summary>Bytes after rounding.</summary>
    [Id(2)] public ulong Size { get; init; }
    [Id(3)] public VmoRights Rights { get; init; }
}
