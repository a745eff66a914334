using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>A small write on its way, under one request id from its beginning to its end.</summary>
internal sealed class JoinedWrite(ulong offset, ReadOnlyMemory<byte> source) : JoinedCall(offset, source.Length)
{
    public RequestSequence.Ticket Ticket { get; } = new();

    protected override void Give(Span<byte> destination) => source.Span.CopyTo(destination);
}

/// <summary>The writes of one handle.</summary>
internal sealed class WriteLane(CallLoop calls, VmoHandle handle, Caller caller, TimeSpan deadline)
    : JoinLane<JoinedWrite>(calls, CallKind.Write, handle.Koid, deadline)
{
    protected override async ValueTask<(Outcome[]? Outcomes, byte[] Data, ulong Version)> ExchangeAsync(
        IReadOnlyList<JoinedWrite> batch, int deadlineMs, CancellationToken cancellation)
    {
        var (items, data) = Gather(batch, out var indices);
        if (items.Length == 0)
            return (null, [], 0);
        var writes = new WriteCalls
        {
            Head = new(handle.Secret, RequestId.None, Calls.Requests.AckedBelow, deadlineMs, caller),
            Items = items,
            Data = data,
        };
        var replies = await Calls.Transport.WriteAsync(handle.Koid, writes, cancellation).ConfigureAwait(false);
        var outcomes = Replies.Checked(items.Length, replies);
        if (outcomes is null || items.Length == batch.Count)
            return (outcomes, [], replies.Version);

        // Some had ended before the message was made: their places in the batch get an Ok that nobody waits for.
        var spread = new Outcome[batch.Count];
        for (var i = 0; i < indices.Length; i++)
            spread[indices[i]] = outcomes[i];
        return (spread, [], replies.Version);
    }

    protected override void OnStart(JoinedWrite call) => Calls.Requests.Open(call.Ticket);

    protected override void OnEnd(JoinedWrite call) => Calls.Requests.Close(call.Ticket);

    private static (WriteItem[] Items, byte[] Data) Gather(IReadOnlyList<JoinedWrite> batch, out int[] indices)
    {
        var total = 0;
        foreach (var call in batch)
            total += call.Length;
        var (at, count) = (0, 0);
        var (items, data) = (new WriteItem[batch.Count], GC.AllocateUninitializedArray<byte>(total));
        indices = new int[batch.Count];
        for (var i = 0; i < batch.Count; i++)
        {
            var call = batch[i];
            if (!call.TryCopyTo(data.AsSpan(at, call.Length)))
                continue;
            items[count] = new(call.Ticket.Id, call.Offset, call.Length);
            indices[count++] = i;
            at += call.Length;
        }

        if (count == items.Length)
            return (items, data);
        indices = indices[..count];
        return (items[..count], data[..at]);
    }
}
