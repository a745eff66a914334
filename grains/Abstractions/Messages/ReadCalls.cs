namespace VmoCluster.Messages;

/// <summary>Where one read begins and how many bytes it takes.</summary>
[GenerateSerializer, Immutable, Alias("vmo.ReadItem")]
public readonly record struct ReadItem([property: Id(0)] ulong Offset, [property: Id(1)] int Length);

/// <summary>
/// One or several reads through one handle, at most <see cref="Limits.MessageBytesMax"/> bytes in all. Each is answered by itself; all
/// are taken in one turn, so they see one version.
/// </summary>
[GenerateSerializer, Immutable, Alias("vmo.Reads")]
public sealed class ReadCalls
{
    [Id(0)] public CallHead Head { get; init; }
    [Id(1)] public ReadItem[] Items { get; init; } = [];
}

/// <summary>The answers, in the order of the items.</summary>
[GenerateSerializer, Immutable, Alias("vmo.ReadsReply")]
public sealed class ReadReplies
{
    /// <summary>One outcome an item; null when all are Ok.</summary>
    [Id(0)] public Outcome[]? Outcomes { get; init; }

    /// <summary>The bytes of the items that are Ok, one after another.</summary>
    [Id(1)] public byte[] Data { get; init; } = [];

    /// <summary>The version read.</summary>
    [Id(2)] public ulong Version { get; init; }

    /// <summary>One refusal for all.</summary>
    public static ReadReplies Fail(Outcome outcome, int items)
    {
        var outcomes = new Outcome[items];
        Array.Fill(outcomes, outcome);
        return new() { Outcomes = outcomes };
    }
}

/// <summary>
/// One piece of a read above <see cref="Limits.MessageBytesMax"/>: all pieces carry the same request id and range, may arrive in any
/// order, and are answered from the one version that the first of them found.
/// </summary>
[GenerateSerializer, Immutable, Alias("vmo.ReadPiece")]
public sealed class ReadPieceCall
{
    [Id(0)] public CallHead Head { get; init; }

    /// <summary>The whole read, at most <see cref="Limits.CallBytesMax"/> bytes.</summary>
    [Id(1)] public ReadItem Whole { get; init; }

    /// <summary>The piece: its number, from 0. Piece n is the nth <see cref="Limits.MessageBytesMax"/> bytes of the whole.</summary>
    [Id(2)] public int Piece { get; init; }
}
