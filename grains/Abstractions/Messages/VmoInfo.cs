namespace VmoCluster.Messages;

/// <summary>What get_info tells of a VMO and of the handle it was asked through.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Info")]
public sealed record VmoInfo
{
    [Id(0)] public Koid Koid { get; init; }

    /// <summary>Rights of the handle asked through.</summary>
    [Id(1)] public VmoRights Rights { get; init; }

    /// <summary>Handles of the VMO; null without INSPECT.</summary>
    [Id(2)] public int? HandleCount { get; init; }

    /// <summary>The name; null without GET_PROPERTY.</summary>
    [Id(3)] public string? Name { get; init; }

    /// <summary>Bytes, a multiple of 4096.</summary>
    [Id(4)] public ulong Size { get; init; }

    /// <summary>Bytes of content; null without GET_PROPERTY.</summary>
    [Id(5)] public ulong? ContentSize { get; init; }

    [Id(6)] public bool IsResizable { get; init; }
    [Id(7)] public VmoKind Kind { get; init; }

    /// <summary>The parent; None for a root.</summary>
    [Id(8)] public Koid Parent { get; init; }

    /// <summary>Where in the parent this begins, in bytes.</summary>
    [Id(9)] public ulong Offset { get; init; }

    [Id(10)] public int ChildCount { get; init; }
    [Id(11)] public int MappingCount { get; init; }

    /// <summary>Own data pages x 4096, committed zeros included (E18).</summary>
    [Id(12)] public ulong CommittedBytes { get; init; }

    /// <summary>Bytes charged to this VMO: its own stored pages and its share of frozen layers.</summary>
    [Id(13)] public ulong ChargedBytes { get; init; }

    /// <summary>Bytes that destroying it would free.</summary>
    [Id(14)] public ulong WouldFreeBytes { get; init; }

    /// <summary>Grows with each change of what the VMO shows.</summary>
    [Id(15)] public ulong Version { get; init; }

    [Id(16)] public VmoSignals Signals { get; init; }

    /// <summary>Unix milliseconds at which the handle ends; 0 for never.</summary>
    [Id(17)] public long ExpiresMs { get; init; }

    /// <summary>Bytes the handle may touch; null for all.</summary>
    [Id(18)] public ByteRange? Range { get; init; }

    /// <summary>Labels; null without GET_PROPERTY.</summary>
    [Id(19)] public Dictionary<string, string>? Labels { get; init; }

    [Id(20)] public string Tenant { get; init; } = "";
}
