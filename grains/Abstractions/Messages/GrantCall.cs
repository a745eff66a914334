namespace VmoCluster.Messages;

/// <summary>A silo asks to hold what a VMO's own layers show in one extent, or in a stretch of them around it where they show nothing. Among silos only.</summary>
/// <param name="Session">The session under which it will be held.</param>
/// <param name="Extent">Which 256 pages.</param>
/// <param name="Gone">Blobs, by their layer's home and number, nonce and counter, that the asking silo has found gone: the one asked may still believe in them. Without nonce and counter: all of the layer's.</param>
/// <param name="OrderMost">How large a stretch may be: 4 to the power of so many extents. 0: the one only.</param>
[GenerateSerializer, Immutable, Alias("vmo.Grant")]
public sealed record GrantCall([property: Id(0)] ulong Session, [property: Id(1)] ulong Extent, [property: Id(2)] (ulong Home, uint Number, uint Nonce, uint Counter)[] Gone, [property: Id(3)] int OrderMost);

/// <summary>The grant, or why not.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Granted")]
public sealed record GrantReply
{
    [Id(0)] public Outcome Outcome { get; init; }

    /// <summary>What each page shows, encoded.</summary>
    [Id(1)] public byte[] Shown { get; init; } = [];

    /// <summary>The VMO's size in pages.</summary>
    [Id(2)] public ulong Size { get; init; }

    /// <summary>The live parent that is asked where the VMO shows nothing; None if there is none.</summary>
    [Id(3)] public Koid Parent { get; init; }

    /// <summary>Where in the parent the VMO begins, in pages.</summary>
    [Id(4)] public ulong ParentOffset { get; init; }

    /// <summary>Pages of the parent, exclusive, beyond which it is not asked: the VMO was made of a slice of it.</summary>
    [Id(5)] public ulong ParentEnd { get; init; } = ulong.MaxValue;

    /// <summary>Whom the VMO names of its live ancestors beyond the parent, as stored: a hint.</summary>
    [Id(6)] public byte[] Lineage { get; init; } = [];

    /// <summary>It holds for the aligned 4 to the power of so many extents around the one that was asked for.</summary>
    [Id(7)] public int Order { get; init; }
}
