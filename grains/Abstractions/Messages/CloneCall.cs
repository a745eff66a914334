namespace VmoCluster.Messages;

/// <summary>One child as it is asked for.</summary>
[GenerateSerializer, Immutable, Alias("vmo.CloneSpec")]
public sealed record CloneSpec
{
    /// <summary>What it is to be: live, snapshot, slice or reference. Not looked at when <see cref="SeedOptions"/> are given.</summary>
    [Id(0)] public VmoKind Kind { get; init; } = VmoKind.Live;

    /// <summary>Raw bits of the seed's <c>vmo_clone</c>: COPY_ON_WRITE 1 (must be there), NON_RESIZEABLE 2. Null: this is CreateChild.</summary>
    [Id(1)] public uint? SeedOptions { get; init; }

    /// <summary>Where in the parent it begins, in bytes.</summary>
    [Id(2)] public ulong Offset { get; init; }

    /// <summary>Bytes, rounded up to pages. A reference has offset and size 0: it is the whole.</summary>
    [Id(3)] public ulong Size { get; init; }

    /// <summary><c>set_size</c> answers Unavailable for ever.</summary>
    [Id(4)] public bool NonResizable { get; init; }

    /// <summary>The handle lacks WRITE.</summary>
    [Id(5)] public bool NoWrite { get; init; }

    /// <summary>Rights the handle is narrowed to; null for all that the kind gives.</summary>
    [Id(6)] public VmoRights? Rights { get; init; }

    /// <summary>The name; null for the parent's, if the handle may read it.</summary>
    [Id(7)] public string? Name { get; init; }

    /// <summary>Ranges in the child's bytes that it must not show: they read zero from the first moment.</summary>
    [Id(8)] public ByteRange[]? Zero { get; init; }
}

/// <summary>
/// Makes children, all or none. DUPLICATE and READ. Their koids follow one another; the handle of child i has the secret
/// <see cref="HandleSecret.Child"/>(i) of the seed, so that a repeat gives the same handles.
/// </summary>
/// <param name="Head">The head.</param>
/// <param name="Specs">One for all (with a count above 1 a name becomes NAME-0, NAME-1...), or one each.</param>
/// <param name="Count">1 to <see cref="Limits.CloneCountMax"/>.</param>
/// <param name="Seed">Made by the caller, at random.</param>
/// <param name="Confirmed">The caller takes the handles' leak upon itself: they need not be confirmed.</param>
[GenerateSerializer, Immutable, Alias("vmo.Call.Clone")]
public sealed record CloneCall(
    CallHead Head,
    [property: Id(0)] CloneSpec[] Specs,
    [property: Id(1)] int Count,
    [property: Id(2)] HandleSecret Seed,
    [property: Id(3)] bool Confirmed) : VmoCall(Head)
{
    /// <summary>The first child's koid, put in by the handle registry.</summary>
    [Id(4)] public Koid First { get; init; }

    /// <summary>The lineage of the store that the koid was taken in, put in with it: in another it may be given out anew.</summary>
    [Id(5)] public long Lineage { get; init; }
}
