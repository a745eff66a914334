namespace VmoCluster.Messages;

/// <summary>One write: its request id, where it begins, how many bytes.</summary>
[GenerateSerializer, Immutable, Alias("vmo.WriteItem")]
public readonly record struct WriteItem([property: Id(0)] RequestId Request, [property: Id(1)] ulong Offset, [property: Id(2)] int Length);

/// <summary>
/// One or several writes through one handle, at most <see cref="Limits.MessageBytesMax"/> bytes in all. Each is atomic and answered by
/// itself; the head's request id is not used.
/// </summary>
[GenerateSerializer, Immutable, Alias("vmo.Writes")]
public sealed class WriteCalls
{
    [Id(0)] public CallHead Head { get; init; }
    [Id(1)] public WriteItem[] Items { get; init; } = [];

    /// <summary>The bytes of all items, one after another. Never changed after sending.</summary>
    [Id(2)] public byte[] Data { get; init; } = [];
}

/// <summary>The answers, in the order of the items.</summary>
[GenerateSerializer, Immutable, Alias("vmo.WritesReply")]
public sealed class WriteReplies
{
    /// <summary>One outcome an item; null when all are Ok.</summary>
    [Id(0)] public Outcome[]? Outcomes { get; init; }

    /// <summary>The version after the last of them.</summary>
    [Id(1)] public ulong Version { get; init; }

    /// <summary>One refusal for all.</summary>
    public static WriteReplies Fail(Outcome outcome, int items)
    {
        var outcomes = new Outcome[items];
        Array.Fill(outcomes, outcome);
        return new() { Outcomes = outcomes };
    }
}

/// <summary>
/// One piece of a write above <see cref="Limits.MessageBytesMax"/>: staged under the head's request id; when all pieces have come, the
/// whole is one change. Every piece is answered with the whole's outcome. Pieces whose siblings do not come are dropped at the deadline.
/// </summary>
[GenerateSerializer, Immutable, Alias("vmo.WritePiece")]
public sealed class WritePieceCall
{
    [Id(0)] public CallHead Head { get; init; }

    /// <summary>Where the whole begins.</summary>
    [Id(1)] public ulong Offset { get; init; }

    /// <summary>Bytes of the whole, at most <see cref="Limits.CallBytesMax"/>.</summary>
    [Id(2)] public int Length { get; init; }

    /// <summary>The piece's number, from 0. All but the last are <see cref="Limits.MessageBytesMax"/> bytes.</summary>
    [Id(3)] public int Piece { get; init; }

    /// <summary>The piece's bytes. Never changed after sending.</summary>
    [Id(4)] public byte[] Data { get; init; } = [];
}
