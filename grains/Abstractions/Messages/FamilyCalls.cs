namespace VmoCluster.Messages;

/// <summary>The family of a VMO: itself and all below in full, its ancestors without names. INSPECT.</summary>
/// <param name="Head">The head.</param>
/// <param name="After">Descendants with a koid above this one only: how a long answer is asked on. None: from the start, ancestors included.</param>
[GenerateSerializer, Immutable, Alias("vmo.Call.Tree")]
public sealed record TreeCall(CallHead Head, [property: Id(0)] Koid After) : VmoCall(Head);

/// <summary>One VMO of a family.</summary>
[GenerateSerializer, Immutable, Alias("vmo.TreeNode")]
public sealed record TreeNode
{
    [Id(0)] public Koid Koid { get; init; }

    /// <summary>None for a root.</summary>
    [Id(1)] public Koid Parent { get; init; }
    [Id(2)] public VmoKind Kind { get; init; }

    /// <summary>Where in the parent it begins, in bytes.</summary>
    [Id(3)] public ulong Offset { get; init; }

    /// <summary>Bytes.</summary>
    [Id(4)] public ulong Size { get; init; }

    /// <summary>Pages with bytes of its own.</summary>
    [Id(5)] public ulong OwnPages { get; init; }
    [Id(6)] public ulong CommittedBytes { get; init; }
    [Id(7)] public ulong ChargedBytes { get; init; }

    /// <summary>The name; null for ancestors.</summary>
    [Id(8)] public string? Name { get; init; }

    /// <summary>It has no handle any more and lives only for its children.</summary>
    [Id(9)] public bool IsGhost { get; init; }

    /// <summary>Direct children.</summary>
    [Id(10)] public int ChildCount { get; init; }
}

/// <summary>Where one page's bytes come from: the answer of each level down to the one that decides. READ.</summary>
/// <param name="Head">The head.</param>
/// <param name="Page">The page's index; outside the size it is OutOfRange.</param>
[GenerateSerializer, Immutable, Alias("vmo.Call.Explain")]
public sealed record ExplainCall(CallHead Head, [property: Id(0)] ulong Page) : VmoCall(Head);

/// <summary>One level of an explanation.</summary>
[GenerateSerializer, Immutable, Alias("vmo.ExplainLevel")]
public sealed record ExplainLevel
{
    /// <summary>The VMO whose layer it is.</summary>
    [Id(0)] public Koid Koid { get; init; }
    [Id(1)] public VmoKind Kind { get; init; }

    /// <summary>The page's place there, in bytes.</summary>
    [Id(2)] public ulong Offset { get; init; }

    /// <summary>The layer: home and number.</summary>
    [Id(3)] public string Layer { get; init; } = "";

    /// <summary>What it says: own, zero, through, absent, frozen (bytes of a frozen layer), parent (asked the live parent).</summary>
    [Id(4)] public string Answer { get; init; } = "";
}

/// <summary>The whole explanation.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Explanation")]
public sealed record Explanation
{
    /// <summary>From the VMO asked down to the level that decides.</summary>
    [Id(0)] public ExplainLevel[] Levels { get; init; } = [];

    /// <summary>The blob and the page's place in it; null where no bytes are stored.</summary>
    [Id(1)] public string? Blob { get; init; }

    /// <summary>Who is charged how many bytes of this page.</summary>
    [Id(2)] public PageCharge[] Charged { get; init; } = [];
}

/// <summary>A VMO's share of one page.</summary>
[GenerateSerializer, Immutable, Alias("vmo.PageCharge")]
public readonly record struct PageCharge([property: Id(0)] Koid Koid, [property: Id(1)] ulong Bytes);
