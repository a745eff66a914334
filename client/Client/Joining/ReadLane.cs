using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>A small read on its way.</summary>
internal sealed class JoinedRead(ulong offset, Memory<byte> destination) : JoinedCall(offset, destination.Length)
{
    protected override void Take(ReadOnlySpan<byte> bytes) => bytes.CopyTo(destination.Span);
}

/// <summary>The reads of one handle.</summary>
internal sealed class ReadLane(CallLoop calls, VmoHandle handle, Caller caller, TimeSpan deadline)
    : JoinLane<JoinedRead>(calls, CallKind.Read, handle.Koid, deadline)
{
    protected override async ValueTask<(Outcome[]? Outcomes, byte[] Data, ulong Version)> ExchangeAsync(
        IReadOnlyList<JoinedRead> batch, int deadlineMs, CancellationToken cancellation)
    {
        var items = new ReadItem[batch.Count];
        for (var i = 0; i < items.Length; i++)
            items[i] = new(batch[i].Offset, batch[i].Length);
        var reads = new ReadCalls { Head = new(handle.Secret, RequestId.None, Calls.Requests.AckedBelow, deadlineMs, caller), Items = items };
        var replies = await Calls.Transport.ReadAsync(handle.Koid, reads, cancellation).ConfigureAwait(false);
        return (Replies.Checked(items, replies), replies.Data, replies.Version);
    }
}
