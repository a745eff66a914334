namespace VmoCluster.Messages;

/// <summary>
/// What a slice or reference shows of itself when it hands a call on: the handle that was used, as it stands there. It is believed because only
/// silos may call what takes it.
/// </summary>
/// <param name="Alias">The slice or reference.</param>
/// <param name="Handle">The handle's number there.</param>
/// <param name="Rights">The handle's rights.</param>
/// <param name="ExpiresMs">Unix milliseconds at which the handle ends, 0 for never.</param>
/// <param name="Range">Bytes of the target that it may touch; null for all.</param>
/// <param name="Term">Which owner of the alias speaks.</param>
[GenerateSerializer, Immutable, Alias("vmo.AliasPass")]
public sealed record AliasPass(
    [property: Id(0)] Koid Alias,
    [property: Id(1)] uint Handle,
    [property: Id(2)] VmoRights Rights,
    [property: Id(3)] long ExpiresMs,
    [property: Id(4)] ByteRange? Range,
    [property: Id(5)] AliasTerm Term);

/// <summary>A stretch of an alias's life: calls of an earlier one can be ended as a whole.</summary>
/// <param name="Epoch">The epoch of the alias's owner.</param>
/// <param name="Round">Counts, under one owner, calls that came to no known end.</param>
[GenerateSerializer, Immutable, Alias("vmo.AliasTerm")]
public readonly record struct AliasTerm([property: Id(0)] ulong Epoch, [property: Id(1)] uint Round)
{
    public bool IsBefore(AliasTerm other) => Epoch < other.Epoch || (Epoch == other.Epoch && Round < other.Round);
}

/// <summary>
/// A call on a slice or reference, handed to the VMO whose pages it shows, in that VMO's offsets. The heads carry no secret. Exactly one of
/// the calls is there.
/// </summary>
[GenerateSerializer, Immutable, Alias("vmo.Forward")]
public sealed class ForwardCall
{
    [Id(0)] public required AliasPass Pass { get; init; }
    [Id(1)] public ReadCalls? Reads { get; init; }
    [Id(2)] public ReadPieceCall? ReadPiece { get; init; }
    [Id(3)] public WriteCalls? Writes { get; init; }
    [Id(4)] public WritePieceCall? WritePiece { get; init; }

    /// <summary>Only what concerns pages and sizes.</summary>
    [Id(5)] public VmoCall? Call { get; init; }
}

/// <summary>The answer; of the kind of the call.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Forwarded")]
public sealed class ForwardReply
{
    /// <summary>Why it was not let in, or did not get through; Ok when there is an answer.</summary>
    [Id(0)] public Outcome Outcome { get; init; }
    [Id(1)] public ReadReplies? Reads { get; init; }
    [Id(2)] public WriteReplies? Writes { get; init; }
    [Id(3)] public VmoReply? Reply { get; init; }
}
