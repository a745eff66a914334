namespace VmoCluster.Messages;

/// <summary>
/// Walks the store and reports what is wrong; changes nothing. For the operator. A portion at a time: ask on until nothing more follows.
/// </summary>
[GenerateSerializer, Immutable, Alias("vmo.Scrub")]
public sealed record ScrubCall
{
    [Id(0)] public Caller Caller { get; init; } = Caller.Anonymous;

    /// <summary>Only this VMO's family; None for the whole store.</summary>
    [Id(1)] public Koid Family { get; init; }

    /// <summary>The last answer's; None to begin. It only grows; most of it are koids, the last of it are places in the store.</summary>
    [Id(2)] public Koid After { get; init; }

    /// <summary>Also reads every page's bytes and compares checksums.</summary>
    [Id(3)] public bool Bytes { get; init; }
}

/// <summary>One portion of a scrub.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Scrubbed")]
public sealed record ScrubReply
{
    [Id(0)] public Outcome Outcome { get; init; }

    /// <summary>Records, layers and blobs looked at in this portion.</summary>
    [Id(1)] public long Checked { get; init; }
    [Id(2)] public ScrubFinding[] Findings { get; init; } = [];

    /// <summary>Ask on from here.</summary>
    [Id(3)] public Koid After { get; init; }
    [Id(4)] public bool More { get; init; }
}

/// <summary>Something wrong.</summary>
/// <param name="Koid">The VMO it concerns.</param>
/// <param name="What">A word: missing-layer, missing-blob, orphan-blob, orphan-layer, checksum, count, unknown-child, unknown-user, unfinished, damaged.</param>
/// <param name="Detail">For people.</param>
[GenerateSerializer, Immutable, Alias("vmo.ScrubFinding")]
public sealed record ScrubFinding([property: Id(0)] Koid Koid, [property: Id(1)] string What, [property: Id(2)] string Detail);
