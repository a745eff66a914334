using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>
/// The way to a cluster: over gRPC, over Orleans, or a test's own. Thread-safe, one per cluster. Each method is one attempt of one message:
/// it answers with an outcome, lost connections included (Io), and throws nothing but <see cref="OperationCanceledException"/>. Retrying,
/// splitting and joining are the client's.
/// </summary>
public interface ITransport : IAsyncDisposable
{
    /// <summary>Whether a server has ever answered anything through this transport: false tells "never reached" from "in trouble".</summary>
    bool HasAnswered => true;

    /// <summary>Creates a VMO.</summary>
    ValueTask<CreateReply> CreateAsync(CreateCall call, CancellationToken cancellation);

    /// <summary>A call without pages; handle changes and clones go to the handle registry, everything else to the VMO.</summary>
    ValueTask<VmoReply> CallAsync(Koid koid, VmoCall call, CancellationToken cancellation);

    /// <summary>Joined reads.</summary>
    ValueTask<ReadReplies> ReadAsync(Koid koid, ReadCalls reads, CancellationToken cancellation);

    /// <summary>A piece of a large read.</summary>
    ValueTask<ReadReplies> ReadPieceAsync(Koid koid, ReadPieceCall piece, CancellationToken cancellation);

    /// <summary>Joined writes.</summary>
    ValueTask<WriteReplies> WriteAsync(Koid koid, WriteCalls writes, CancellationToken cancellation);

    /// <summary>A piece of a large write.</summary>
    ValueTask<WriteReplies> WritePieceAsync(Koid koid, WritePieceCall piece, CancellationToken cancellation);

    /// <summary>Lists VMOs, for the operator.</summary>
    ValueTask<ListReply> ListAsync(ListCall list, CancellationToken cancellation);

    /// <summary>One portion of a scrub.</summary>
    ValueTask<ScrubReply> ScrubAsync(ScrubCall call, CancellationToken cancellation);

    /// <summary>The server's version. The one method that throws <see cref="VmoException"/>, as it has no reply to put an outcome in.</summary>
    ValueTask<string> ServerVersionAsync(CancellationToken cancellation);
}
