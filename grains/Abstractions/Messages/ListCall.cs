namespace VmoCluster.Messages;

/// <summary>Lists VMOs, for the operator. Results come by koid; ask on with the last one seen.</summary>
[GenerateSerializer, Immutable, Alias("vmo.List")]
public sealed record ListCall
{
    [Id(0)] public Caller Caller { get; init; } = Caller.Anonymous;

    /// <summary>Only those with this label; null for all.</summary>
    [Id(1)] public string? LabelKey { get; init; }
    [Id(2)] public string? LabelValue { get; init; }

    /// <summary>Only names that match: * and ? as in a shell; null for all.</summary>
    [Id(3)] public string? NameGlob { get; init; }

    /// <summary>Only koids above this one.</summary>
    [Id(4)] public Koid After { get; init; }

    /// <summary>At most so many, 1 to 1000.</summary>
    [Id(5)] public int Most { get; init; } = 1000;
}

/// <summary>One page of the list.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Listed")]
public sealed record ListReply
{
    [Id(0)] public Outcome Outcome { get; init; }

    /// <summary>The VMOs, rising by koid; what a list shows: koid, name, size, labels, kind, parent, handle count, stored bytes.</summary>
    [Id(1)] public VmoInfo[] Vmos { get; init; } = [];

    /// <summary>Whether more may follow.</summary>
    [Id(2)] public bool More { get; init; }
}

/// <summary>Makes a new handle with all rights of a VMO that exists, for the operator. Audited.</summary>
[GenerateSerializer, Immutable, Alias("vmo.OperatorHandle")]
public sealed record OperatorHandleCall(CallHead Head, [property: Id(0)] HandleSecret NewSecret) : VmoCall(Head);
