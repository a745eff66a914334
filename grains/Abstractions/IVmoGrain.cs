using VmoCluster.Messages;

namespace VmoCluster;

/// <summary>
/// One VMO, by its koid. Calls answer with outcomes and never throw for what a caller did. Reads and writes come joined or in pieces;
/// everything else is a <see cref="VmoCall"/>.
/// </summary>
[Alias("vmo.IVmoGrain"), GrainInterfaceType("vmo.vmo")]
public interface IVmoGrain : IGrainWithIntegerKey
{
    /// <summary>Reads, joined.</summary>
    [Alias("Read")]
    ValueTask<ReadReplies> ReadAsync(ReadCalls reads, CancellationToken cancellation);

    /// <summary>One piece of a large read: one item's bytes.</summary>
    [Alias("ReadPiece")]
    ValueTask<ReadReplies> ReadPieceAsync(ReadPieceCall piece, CancellationToken cancellation);

    /// <summary>Writes, joined.</summary>
    [Alias("Write")]
    ValueTask<WriteReplies> WriteAsync(WriteCalls writes, CancellationToken cancellation);

    /// <summary>One piece of a large write.</summary>
    [Alias("WritePiece")]
    ValueTask<WriteReplies> WritePieceAsync(WritePieceCall piece, CancellationToken cancellation);

    /// <summary>Anything else.</summary>
    [Alias("Call")]
    ValueTask<VmoReply> CallAsync(VmoCall call, CancellationToken cancellation);

    /// <summary>Only from the registry: brings the VMO into being under the grain's koid.</summary>
    [Alias("Create")]
    ValueTask<CreateReply> CreateAsync(CreateCall create, CancellationToken cancellation);
}
