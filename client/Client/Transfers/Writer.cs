using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>
/// Writes of any length through one handle: small ones joined, up to 256 KiB one message, up to 1 MiB staged in pieces under one request
/// id and applied as one change, above that calls of 1 MiB, each atomic, with a bounded number in flight.
/// </summary>
internal sealed class Writer(CallLoop calls, VmoHandle handle, Caller caller, TimeSpan deadline)
{
    private readonly WriteLane _lane = new(calls, handle, caller, deadline);

    public Task<ulong> WriteAsync(ulong offset, ReadOnlyMemory<byte> source, CancellationToken cancellation) => source.Length switch
    {
        <= Reader.JoinedBytesMax when calls.Options.JoinCalls => _lane.RunAsync(new JoinedWrite(offset, source), cancellation),
        <= Limits.MessageBytesMax => WriteMessageAsync(offset, source, cancellation),
        <= Limits.CallBytesMax => WritePiecesAsync(offset, source, cancellation),
        _ => WriteCallsAsync(offset, source, cancellation),
    };

    public async Task<VmoException?[]> WriteManyAsync(IReadOnlyList<VmoWrite> writes, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(writes);
        var bytes = writes.Sum(write => (long)write.Source.Length);
        if (writes.Count is 0 or > Limits.JoinCallsMax || bytes > Limits.MessageBytesMax)
            throw new VmoException(VmoStatus.InvalidArgs, $"{writes.Count} writes of {bytes} bytes at once; 1 to {Limits.JoinCallsMax} of {Limits.MessageBytesMax} bytes in all are written");
        var tickets = new RequestSequence.Ticket[writes.Count];
        for (var i = 0; i < tickets.Length; i++)
            tickets[i] = calls.Requests.Open();
        var span = ClientTelemetry.Start(CallKind.Write, handle.Koid);
        var (started, status) = (calls.Time.GetTimestamp(), VmoStatus.Canceled);
        try
        {
            var ends = await WriteTogetherAsync(writes, tickets, cancellation).ConfigureAwait(false);
            status = Array.Find(ends, end => end is not null)?.Status ?? VmoStatus.Ok;
            return ends;
        }
        finally
        {
            foreach (var ticket in tickets)
                calls.Requests.Close(ticket);
            ClientTelemetry.Called(CallKind.Write, calls.Time.GetElapsedTime(started), status);
            ClientTelemetry.End(span, status);
        }
    }

    // Those that have had their answers are not sent again; the others are, each under its own id.
    private async Task<VmoException?[]> WriteTogetherAsync(IReadOnlyList<VmoWrite> writes, RequestSequence.Ticket[] tickets, CancellationToken cancellation)
    {
        var answers = new Outcome?[writes.Count];
        VmoException? expired = null;
        try
        {
            await calls.TryAsync(
                CallKind.Write, RequestId.None, handle.Secret, caller, deadline, calls.Options.AttemptTimeout,
                async (head, stop) =>
                {
                    var open = Enumerable.Range(0, answers.Length).Where(i => answers[i] is null || answers[i]!.Value.Status.IsRetryable()).ToArray();
                    var (items, data) = Gather(writes, tickets, open);
                    var replies = await calls.Transport.WriteAsync(handle.Koid, new() { Head = head, Items = items, Data = data }, stop).ConfigureAwait(false);
                    var outcomes = Replies.Checked(items.Length, replies);
                    for (var i = 0; i < open.Length; i++)
                        answers[open[i]] = outcomes?[i] ?? Outcome.Ok;
                    return answers;
                },
                static answers => answers.FirstOrDefault(answer => answer!.Value.Status.IsRetryable()) ?? Outcome.Ok,
                cancellation).ConfigureAwait(false);
        }
        catch (VmoException failure)
        {
            expired = failure;
        }

        return Array.ConvertAll(answers, answer => answer is { IsOk: true } ? null : answer is { } refused && !refused.Status.IsRetryable() ? refused.ToException() : expired);
    }

    private static (WriteItem[] Items, byte[] Data) Gather(IReadOnlyList<VmoWrite> writes, RequestSequence.Ticket[] tickets, int[] which)
    {
        var (at, items, data) = (0, new WriteItem[which.Length], GC.AllocateUninitializedArray<byte>(which.Sum(i => writes[i].Source.Length)));
        for (var i = 0; i < items.Length; i++)
        {
            var source = writes[which[i]].Source;
            items[i] = new(tickets[which[i]].Id, writes[which[i]].Offset, source.Length);
            source.Span.CopyTo(data.AsSpan(at));
            at += source.Length;
        }

        return (items, data);
    }

    private async Task<ulong> WriteMessageAsync(ulong offset, ReadOnlyMemory<byte> source, CancellationToken cancellation)
    {
        // A copy: a message must never change after sending, and a caller who gives up may use its memory again.
        var data = source.ToArray();
        var replies = await calls.RunAsync(
            CallKind.Write, handle.Koid, handle.Secret, caller, deadline, calls.Options.AttemptTimeout,
            (head, stop) => calls.Transport.WriteAsync(
                handle.Koid, new() { Head = head, Items = [new(head.Request, offset, data.Length)], Data = data }, stop),
            FirstOf,
            cancellation).ConfigureAwait(false);
        FirstOf(replies).ThrowIfFailed();
        return replies.Version;
    }

    private async Task<ulong> WritePiecesAsync(ulong offset, ReadOnlyMemory<byte> source, CancellationToken cancellation)
    {
        var ticket = calls.Requests.Open();
        var span = ClientTelemetry.Start(CallKind.Write, handle.Koid);
        var (started, status) = (calls.Time.GetTimestamp(), VmoStatus.Canceled);
        using var siblings = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            var pieces = new Task<ulong>[Pieces.Count(source.Length)];
            for (var i = 0; i < pieces.Length; i++)
                pieces[i] = WritePieceAsync(ticket.Id, offset, source.Length, i, Pieces.Of(source, i).ToArray(), siblings.Token);
            var versions = await Pieces.AllAsync(pieces, siblings).ConfigureAwait(false);
            status = VmoStatus.Ok;
            return versions.Max();
        }
        catch (VmoException refused)
        {
            status = refused.Status;
            throw;
        }
        finally
        {
            calls.Requests.Close(ticket);
            ClientTelemetry.Called(CallKind.Write, calls.Time.GetElapsedTime(started), status);
            ClientTelemetry.End(span, status);
        }
    }

    private async Task<ulong> WritePieceAsync(
        RequestId request, ulong offset, int length, int piece, byte[] data, CancellationToken cancellation)
    {
        var replies = await calls.TryAsync(
            CallKind.Write, request, handle.Secret, caller, deadline, calls.Options.AttemptTimeout,
            (head, stop) => calls.Transport.WritePieceAsync(
                handle.Koid, new() { Head = head, Offset = offset, Length = length, Piece = piece, Data = data }, stop),
            FirstOf,
            cancellation).ConfigureAwait(false);
        FirstOf(replies).ThrowIfFailed();
        return replies.Version;
    }

    private async Task<ulong> WriteCallsAsync(ulong offset, ReadOnlyMemory<byte> source, CancellationToken cancellation)
    {
        if (new ByteRange(offset, (ulong)source.Length).Wraps)
        {
            // What is wrong with the handle comes before what is wrong with the range.
            await WriteAsync(offset, default, cancellation).ConfigureAwait(false);
            throw new VmoException(VmoStatus.OutOfRange, $"a write of {source.Length} bytes at {offset} passes 2^64");
        }

        // The first call goes alone: what is wrong with the handle, the rights or the offset stops the transfer before anything is changed.
        var highest = await WriteAsync(offset, source[..Limits.CallBytesMax], cancellation).ConfigureAwait(false);
        var rest = source[Limits.CallBytesMax..];
        await Pieces.PipelineAsync(
            rest.Length, calls.Options.TransferCallsInFlight,
            async (start, length, stop) =>
            {
                var at = offset + Limits.CallBytesMax + (ulong)start;
                var version = await WriteAsync(at, rest.Slice(start, length), stop).ConfigureAwait(false);
                InterlockedMax(ref highest, version);
            },
            cancellation).ConfigureAwait(false);
        return highest;
    }

    private static void InterlockedMax(ref ulong target, ulong value)
    {
        var seen = Volatile.Read(ref target);
        while (value > seen)
            seen = Interlocked.CompareExchange(ref target, value, seen) is var found && found == seen ? value : found;
    }

    private static Outcome FirstOf(WriteReplies replies) => replies.Outcomes is [var first, ..] ? first : Outcome.Ok;
}
