using VmoCluster.Messages;

namespace VmoCluster.Grains;

/// <summary>What messages take of a silo's budget of calls.</summary>
internal static class CallLoads
{
    /// <summary>What silos tell each other, and waits, which stay on purpose: both have bounds of their own.</summary>
    public static CallLoad Uncounted => default;

    public static CallLoad Of(ReadCalls reads) => new(Math.Max(1, reads.Items.Length), reads.Items.Sum(item => Math.Max(0L, item.Length)), reads.Head.DeadlineMs);

    public static CallLoad Of(WriteCalls writes) => new(Math.Max(1, writes.Items.Length), writes.Data.Length, writes.Head.DeadlineMs);

    public static CallLoad Of(ReadPieceCall piece, bool hasBegun) => new(1, Limits.MessageBytesMax, piece.Head.DeadlineMs, hasBegun);

    public static CallLoad Of(WritePieceCall piece, bool hasBegun) => new(1, piece.Data.Length, piece.Head.DeadlineMs, hasBegun);

    public static CallLoad Of(VmoCall call) => call switch
    {
        WaitCall => Uncounted,
        CloseCall or RevokeCall or OpRangeCall { Op: VmoOp.Decommit } => new(1, 0, call.Head.DeadlineMs, IsPreferred: true),
        _ => new(1, 0, call.Head.DeadlineMs),
    };
}
