using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>
/// Reads of any length through one handle: small ones joined, up to 256 KiB one message, up to 1 MiB pieces of one call that all show
/// one version, above that calls of 1 MiB with a bounded number in flight.
/// </summary>
internal sealed class Reader(CallLoop calls, VmoHandle handle, Caller caller, TimeSpan deadline)
{
    private readonly ReadLane _lane = new(calls, handle, caller, deadline);

    /// <summary>Larger calls gain nothing from company: joined messages hold at least four.</summary>
    public const int JoinedBytesMax = Limits.JoinBytesMax / 4;

    public Task<ulong> ReadAsync(ulong offset, Memory<byte> destination, CancellationToken cancellation) => destination.Length switch
    {
        <= JoinedBytesMax when calls.Options.JoinCalls => _lane.RunAsync(new JoinedRead(offset, destination), cancellation),
        <= Limits.MessageBytesMax => ReadMessageAsync(offset, destination, cancellation),
        <= Limits.CallBytesMax => ReadPiecesAsync(offset, destination, cancellation),
        _ => ReadCallsAsync(offset, destination, cancellation),
    };

    public async Task<byte[]> ReadManyAsync(IReadOnlyList<ByteRange> ranges, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        var (items, bytes) = (new ReadItem[ranges.Count], 0ul);
        for (var i = 0; i < items.Length && bytes <= Limits.MessageBytesMax; i++)
        {
            bytes += Math.Min(ranges[i].Length, Limits.MessageBytesMax + 1);
            items[i] = new(ranges[i].Offset, (int)Math.Min(ranges[i].Length, int.MaxValue));
        }

        if (items.Length is 0 or > Limits.JoinCallsMax || bytes > Limits.MessageBytesMax)
            throw new VmoException(VmoStatus.InvalidArgs, $"{items.Length} ranges of {bytes} bytes or more at once; 1 to {Limits.JoinCallsMax} of {Limits.MessageBytesMax} bytes in all are read");
        var replies = await calls.RunAsync(
            CallKind.Read, handle.Koid, handle.Secret, caller, deadline, calls.Options.AttemptTimeout,
            (head, stop) => calls.Transport.ReadAsync(handle.Koid, new() { Head = head, Items = items }, stop),
            WorstOf,
            cancellation).ConfigureAwait(false);
        WorstOf(replies).ThrowIfFailed();
        if (Replies.Checked(items, replies) is { } outcomes)
        {
            foreach (var outcome in outcomes)
                outcome.ThrowIfFailed();
        }

        return replies.Data;
    }

    private async Task<ulong> ReadMessageAsync(ulong offset, Memory<byte> destination, CancellationToken cancellation)
    {
        var items = new ReadItem[] { new(offset, destination.Length) };
        var replies = await calls.RunAsync(
            CallKind.Read, handle.Koid, handle.Secret, caller, deadline, calls.Options.AttemptTimeout,
            (head, stop) => calls.Transport.ReadAsync(handle.Koid, new() { Head = head, Items = items }, stop),
            FirstOf,
            cancellation).ConfigureAwait(false);
        FirstOf(replies).ThrowIfFailed();
        Replies.Checked(items, replies)?[0].ThrowIfFailed();
        replies.Data.CopyTo(destination.Span);
        return replies.Version;
    }

    private async Task<ulong> ReadPiecesAsync(ulong offset, Memory<byte> destination, CancellationToken cancellation)
    {
        var span = ClientTelemetry.Start(CallKind.Read, handle.Koid);
        var (started, status) = (calls.Time.GetTimestamp(), VmoStatus.Canceled);
        try
        {
            for (; ; )
            {
                // The pieces of one attempt at the whole find each other by this id. When the server lost the version that the first
                // of them pinned (its silo died between two pieces), they show different ones, and the whole is read anew.
                var ticket = calls.Requests.Open();
                try
                {
                    var left = deadline - calls.Time.GetElapsedTime(started);
                    if (left <= TimeSpan.Zero)
                        throw new VmoException(VmoStatus.TimedOut, $"read of {destination.Length} bytes: no single version could be read in {deadline.TotalSeconds} s");
                    var versions = await AllPiecesAsync(ticket.Id, offset, destination, left, cancellation).ConfigureAwait(false);
                    status = VmoStatus.Ok;
                    if (versions.AsSpan().IndexOfAnyExcept(versions[0]) < 0)
                        return versions[0];
                }
                finally
                {
                    calls.Requests.Close(ticket);
                }
            }
        }
        catch (VmoException refused)
        {
            status = refused.Status;
            throw;
        }
        finally
        {
            ClientTelemetry.Called(CallKind.Read, calls.Time.GetElapsedTime(started), status);
            ClientTelemetry.End(span, status);
        }
    }

    private async Task<ulong[]> AllPiecesAsync(
        RequestId request, ulong offset, Memory<byte> destination, TimeSpan left, CancellationToken cancellation)
    {
        using var siblings = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var pieces = new Task<ulong>[Pieces.Count(destination.Length)];
        for (var i = 0; i < pieces.Length; i++)
            pieces[i] = ReadPieceAsync(request, new(offset, destination.Length), i, Pieces.Of(destination, i), left, siblings.Token);
        return await Pieces.AllAsync(pieces, siblings).ConfigureAwait(false);
    }

    private async Task<ulong> ReadPieceAsync(
        RequestId request, ReadItem whole, int piece, Memory<byte> destination, TimeSpan left, CancellationToken cancellation)
    {
        var replies = await calls.TryAsync(
            CallKind.Read, request, handle.Secret, caller, left, calls.Options.AttemptTimeout,
            (head, stop) => calls.Transport.ReadPieceAsync(handle.Koid, new() { Head = head, Whole = whole, Piece = piece }, stop),
            FirstOf,
            cancellation).ConfigureAwait(false);
        FirstOf(replies).ThrowIfFailed();
        Replies.Checked([new(0, destination.Length)], replies)?[0].ThrowIfFailed();
        replies.Data.CopyTo(destination.Span);
        return replies.Version;
    }

    private async Task<ulong> ReadCallsAsync(ulong offset, Memory<byte> destination, CancellationToken cancellation)
    {
        if (new ByteRange(offset, (ulong)destination.Length).Wraps)
        {
            // What is wrong with the handle comes before what is wrong with the range.
            await ReadAsync(offset, default, cancellation).ConfigureAwait(false);
            throw new VmoException(VmoStatus.OutOfRange, $"a read of {destination.Length} bytes at {offset} passes 2^64");
        }

        var lowest = ulong.MaxValue;
        await Pieces.PipelineAsync(
            destination.Length, calls.Options.TransferCallsInFlight,
            async (start, length, stop) =>
            {
                var version = await ReadAsync(offset + (ulong)start, destination.Slice(start, length), stop).ConfigureAwait(false);
                InterlockedMin(ref lowest, version);
            },
            cancellation).ConfigureAwait(false);
        return lowest;
    }

    private static void InterlockedMin(ref ulong target, ulong value)
    {
        var seen = Volatile.Read(ref target);
        while (value < seen)
            seen = Interlocked.CompareExchange(ref target, value, seen) is var found && found == seen ? value : found;
    }

    // A refusal for good if there is one, else one that another attempt may not meet.
    private static Outcome WorstOf(ReadReplies replies)
    {
        var worst = Outcome.Ok;
        foreach (var outcome in replies.Outcomes ?? [])
        {
            if (!outcome.IsOk && (worst.IsOk || (worst.Status.IsRetryable() && !outcome.Status.IsRetryable())))
                worst = outcome;
        }

        return worst;
    }

    private static Outcome FirstOf(ReadReplies replies) => replies.Outcomes is [var first, ..] ? first : Outcome.Ok;
}
