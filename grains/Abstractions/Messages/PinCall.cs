namespace VmoCluster.Messages;

/// <summary>
/// A silo asks a live ancestor to freeze what it shows, to pin the layer for children about to be made, and to grant the silo the whole VMO.
/// Among silos only.
/// </summary>
/// <param name="Session">The session under which the grant will be held.</param>
/// <param name="Users">The children, or more.</param>
/// <param name="Asker">The VMO whose children they will be, and that knows what comes of the pin.</param>
/// <param name="Stamp">The asker's.</param>
/// <param name="IsHeld">
/// The pages changed too often before all ancestors could be asked: they are not changed for <see cref="Limits.MomentHoldMs"/> after this grant.
/// </param>
[GenerateSerializer, Immutable, Alias("vmo.PinCall")]
public sealed record PinCall(
    [property: Id(0)] ulong Session, [property: Id(1)] KoidRange Users, [property: Id(2)] Koid Asker, [property: Id(3)] ulong Stamp, [property: Id(4)] bool IsHeld);

/// <summary>The pin and the grant, or why not.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Pinned")]
public sealed record PinReply
{
    [Id(0)] public Outcome Outcome { get; init; }

    /// <summary>The frozen layer that shows all that the VMO's own layers show; 0: they show nothing, and nothing is pinned.</summary>
    [Id(1)] public uint Layer { get; init; }

    /// <summary>Pages, exclusive, that the layer is looked through for.</summary>
    [Id(2)] public ulong Limit { get; init; }

    /// <summary>The VMO's size in pages.</summary>
    [Id(3)] public ulong Size { get; init; }

    /// <summary>The live parent that is asked where the VMO shows nothing; None if there is none.</summary>
    [Id(4)] public Koid Parent { get; init; }

    /// <summary>Where in the parent the VMO begins, in pages.</summary>
    [Id(5)] public ulong ParentOffset { get; init; }

    /// <summary>Pages of the parent, exclusive, beyond which it is not asked.</summary>
    [Id(6)] public ulong ParentEnd { get; init; } = ulong.MaxValue;

    /// <summary>The pin stands, and the grant could not be given: something is being changed.</summary>
    [Id(7)] public bool IsTorn { get; init; }

    /// <summary>Whom the VMO names of its live ancestors beyond the parent, as stored: a hint.</summary>
    [Id(8)] public byte[] Lineage { get; init; } = [];
}
