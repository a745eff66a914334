using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using VmoCluster.Client;
using VmoCluster.NbdDoor.Disk;
using VmoCluster.NbdDoor.Handshake;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor.Serving;

/// <summary>
/// The requests of one client, many at once, answered as they are done. What is written is durable before it is answered, so FLUSH and FUA have nothing left to do. A
/// request is not read before there is room for it, and leaves its room when its answer is sent.
/// </summary>
internal sealed class Transmission : IAsyncDisposable
{
    // One read, or one write, of the VMO.
    private const int PieceBytes = Limits.CallBytesMax;
    private const int ExtentsMost = 1024;

    // What is no larger goes together. Larger writes gain nothing from company, and more of them are under way at once alone.
    private const uint SmallReadBytes = 64 << 10;
    private const uint SmallWriteBytes = 16 << 10;

    // What a connection is given to end when the server does, and then to take its last answers.
    private static readonly TimeSpan Drain = TimeSpan.FromSeconds(1);

    private readonly Agreement _agreed;
    private readonly VmoDisk _disk;
    private readonly RequestRoom _room;
    private readonly SmallCalls _smallReads;
    private readonly SmallCalls _smallWrites;
    private readonly NbdOutput _output;
    private readonly CancellationToken _stopped;
    private readonly CancellationTokenSource _end = new();
    private readonly CancellationTokenSource _reading;
    private readonly Task _ending;
    private readonly CancellationTokenRegistration _stopping;
    private Task<Dictionary<Koid, uint>>? _depths;

    public Transmission(Agreement agreed, NbdOptions options, CancellationToken stopped)
    {
        (_agreed, _disk) = (agreed, agreed.Disk);
        _room = new(options.RequestsMax, options.PayloadBytesMax);
        (_smallReads, _smallWrites) = (new(ReadTogetherAsync), new(WriteTogetherAsync));
        (_stopped, _reading) = (stopped, CancellationTokenSource.CreateLinkedTokenSource(stopped, _end.Token));
        _output = new(agreed.Stream, _end.Token);
        _ending = EndWithOutputAsync();
        // Whatever the client does then, also where it had said goodbye and does not read what it was sent.
        _stopping = stopped.Register(() => _end.CancelAfter(2 * Drain));
    }

    /// <summary>Serves until the client leaves, or the server is told to stop: what was taken by then is answered, if it is done soon. Throws <see cref="ProtocolException"/> and <see cref="IOException"/>s.</summary>
    public async Task RunAsync()
    {
        try
        {
            await TakeAllAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stopped.IsCancellationRequested && !_end.IsCancellationRequested)
        {
            await _room.EmptyAsync().WaitAsync(Drain).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // Of one that does not read, what was sent is not waited for.
            _end.CancelAfter(Drain);
        }
        catch (Exception)
        {
            // Nor of one that has said what nobody understands, or is gone.
            _end.CancelAfter(Drain);
            throw;
        }
    }

    private async Task TakeAllAsync()
    {
        try
        {
            while (await _agreed.Input.TryReadAsync(NbdNumbers.RequestBytes, _reading.Token).ConfigureAwait(false) is { } head)
            {
                var request = NbdRequest.Read(head.Span);
                if (request.Command == NbdCommand.Disconnect)
                    break;
                await TakeAsync(request).ConfigureAwait(false);
                if (!_agreed.Input.Has(NbdNumbers.RequestBytes))
                    Go();
            }
        }
        finally
        {
            // What was sent before is done, however the connection ends.
            Go();
        }

        await _room.EmptyAsync().WaitAsync(_reading.Token).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await _output.DisposeAsync().ConfigureAwait(false);
        await _ending.ConfigureAwait(false);
        await _stopping.DisposeAsync().ConfigureAwait(false);
        _reading.Dispose();
        _end.Dispose();
    }

    // Who cannot be answered any more need not be heard.
    private async Task EndWithOutputAsync()
    {
        await _output.Sent.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _end.CancelAsync().ConfigureAwait(false);
    }

    private async ValueTask TakeAsync(NbdRequest request)
    {
        var error = Judge(request);
        if (error == NbdError.None && request is { Command: NbdCommand.Read, Length: <= SmallReadBytes } or { Command: NbdCommand.Write, Length: <= SmallWriteBytes })
        {
            await TakeSmallAsync(request).ConfigureAwait(false);
            return;
        }

        Go();
        if (request.Command == NbdCommand.Write)
        {
            await TakeWriteAsync(request, error).ConfigureAwait(false);
            return;
        }

        var bytes = error != NbdError.None ? 0 : request.Command switch
        {
            NbdCommand.Read => (int)Math.Min(request.Length, IsInPieces(request) ? PieceBytes : request.Length),
            NbdCommand.Cache => VmoDisk.WarmBytesOf(request.Length),
            _ => 0,
        };
        await EnteredAsync(_room.EnterAsync(bytes)).ConfigureAwait(false);
        if (error != NbdError.None)
        {
            Fail(request, error, WhyNot(request, error), () => _room.Leave(0));
            return;
        }

        _ = request.Command switch
        {
            NbdCommand.Read when IsInPieces(request) => ReadInPiecesAsync(request, bytes),
            NbdCommand.Read => ReadAsync(request, bytes),
            NbdCommand.BlockStatus => TellAsync(request),
            _ => AnswerAsync(request, bytes, DoAsync(request)),
        };
    }

    private void Go()
    {
        _smallReads.Go();
        _smallWrites.Go();
    }

    private async ValueTask TakeSmallAsync(NbdRequest request)
    {
        var (length, isWrite) = ((int)request.Length, request.Command == NbdCommand.Write);
        var entering = _room.EnterAsync(length);
        // Those that wait to be sent may be what the room is full of; and nobody waits for a payload that is still to come.
        if (!entering.IsCompleted || (isWrite && !_agreed.Input.Has(length)))
            Go();
        await EnteredAsync(entering).ConfigureAwait(false);
        if (!isWrite)
        {
            _smallReads.Add(new(request, []));
            return;
        }

        _smallWrites.Add(new(request, await ReceiveAsync(length).ConfigureAwait(false)));
    }

    // A payload, or a piece of one, for which there is room; an end within it gives that back.
    private async ValueTask<byte[]> ReceiveAsync(int length)
    {
        var payload = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            await _agreed.Input.FillAsync(payload.AsMemory(0, length), _reading.Token).ConfigureAwait(false);
            return payload;
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(payload);
            _room.Leave(length);
            throw;
        }
    }

    // Whoever waits for room does not outlast the connection.
    private ValueTask EnteredAsync(ValueTask entering) => entering.IsCompleted ? entering : new(entering.AsTask().WaitAsync(_reading.Token));

    // One that fails fails alone: all are asked again one by one.
    private async Task ReadTogetherAsync(List<SmallCall> reads)
    {
        byte[] bytes;
        try
        {
            bytes = await _disk.ReadManyAsync([.. reads.Select(read => new ByteRange(read.Request.Offset, read.Request.Length))]).ConfigureAwait(false);
        }
        catch (VmoException failure) when (failure.IsRetryable || failure.Status == VmoStatus.TimedOut)
        {
            // All had their time.
            foreach (var (request, _) in reads)
                Fail(request, failure, () => _room.Leave((int)request.Length));
            return;
        }
        catch (Exception) // Which of them it was, and why, each finds out for itself.
        {
            foreach (var (request, _) in reads)
                _ = ReadAsync(request, (int)request.Length);
            return;
        }

        var at = 0;
        foreach (var (request, _) in reads)
        {
            Show(request, bytes.AsMemory(at, (int)request.Length), () => _room.Leave((int)request.Length));
            at += (int)request.Length;
        }
    }

    private async Task WriteTogetherAsync(List<SmallCall> writes)
    {
        VmoException?[] ends;
        Exception? all = null;
        try
        {
            ends = await _disk.WriteManyAsync([.. writes.Select(write => new VmoWrite(write.Request.Offset, write.Payload.AsMemory(0, (int)write.Request.Length)))]).ConfigureAwait(false);
        }
        catch (Exception failure) // The edge: whatever it is, the client is told.
        {
            (ends, all) = ([], failure);
        }

        for (var i = 0; i < writes.Count; i++)
        {
            var (request, payload) = writes[i];
            ArrayPool<byte>.Shared.Return(payload);
            if ((all ?? ends[i]) is { } failure)
                Fail(request, failure, () => _room.Leave((int)request.Length));
            else
                Done(request, () => _room.Leave((int)request.Length));
        }
    }

    // What the disk has nothing to do with.
    private NbdError Judge(NbdRequest request)
    {
        const NbdCommandFlags Always = NbdCommandFlags.ForceUnitAccess;
        var known = request.Command switch
        {
            NbdCommand.Read => Always | (_agreed.IsStructured ? NbdCommandFlags.DontFragment : 0),
            NbdCommand.WriteZeroes => Always | NbdCommandFlags.NoHole | NbdCommandFlags.FastZero,
            NbdCommand.BlockStatus => Always | NbdCommandFlags.RequestOne,
            _ => Always,
        };
        var isWriting = request.Command is NbdCommand.Write or NbdCommand.Trim or NbdCommand.WriteZeroes;
        if (!Enum.IsDefined(request.Command) || (request.Flags & ~known) != 0)
            return NbdError.Invalid;
        if (isWriting && _disk.IsReadOnly)
            return NbdError.NotPermitted;
        if (request.Command == NbdCommand.Flush)
            return request is { Offset: 0, Length: 0 } ? NbdError.None : NbdError.Invalid;
        if (request.Length == 0 || (request.Command == NbdCommand.BlockStatus && _agreed.Contexts.Count == 0))
            return NbdError.Invalid;
        if (request.Offset > _disk.SizeBytes || request.Length > _disk.SizeBytes - request.Offset)
            return request.Command is NbdCommand.Write or NbdCommand.WriteZeroes ? NbdError.NoSpace : NbdError.Invalid;
        // A part of a page is written, which is not faster than to write it.
        if (request.Flags.HasFlag(NbdCommandFlags.FastZero) && (request.Offset | request.Length) % Limits.PageBytes != 0)
            return NbdError.NotSupported;
        return request.Command is NbdCommand.Read or NbdCommand.Write && request.Length > NbdNumbers.PayloadBytesMax ? NbdError.Overflow : NbdError.None;
    }

    private string WhyNot(NbdRequest request, NbdError error) => error switch
    {
        NbdError.NotPermitted => "the disk is read-only",
        NbdError.NotSupported => $"zeros over a part of a page are not faster than to write them: {request.Length} bytes at {request.Offset}",
        NbdError.Overflow => $"{request.Length} bytes at once; {NbdNumbers.PayloadBytesMax} at most",
        _ => $"{request.Command} with flags {(ushort)request.Flags} of {request.Length} bytes at {request.Offset}; the disk has {_disk.SizeBytes}",
    };

    // A large read without chunks, or with a single one, must be known to succeed before its first byte is sent.
    private bool IsInPieces(NbdRequest request) =>
        _agreed.IsStructured && request.Length > PieceBytes && !request.Flags.HasFlag(NbdCommandFlags.DontFragment);

    private async Task ReadAsync(NbdRequest request, int bytes)
    {
        if (bytes <= Limits.MessageBytesMax)
        {
            await ReadMessageAsync(request, bytes).ConfigureAwait(false);
            return;
        }

        var payload = ArrayPool<byte>.Shared.Rent(bytes);
        try
        {
            await _disk.ReadAsync(request.Offset, payload.AsMemory(0, bytes)).ConfigureAwait(false);
        }
        catch (Exception failure) // The edge: whatever it is, the client is told.
        {
            ArrayPool<byte>.Shared.Return(payload);
            Fail(request, failure, () => _room.Leave(bytes));
            return;
        }

        Show(request, payload.AsMemory(0, bytes), () =>
        {
            ArrayPool<byte>.Shared.Return(payload);
            _room.Leave(bytes);
        });
    }

    // The message's own bytes are what is sent.
    private async Task ReadMessageAsync(NbdRequest request, int bytes)
    {
        try
        {
            Show(request, await _disk.ReadManyAsync([new(request.Offset, request.Length)]).ConfigureAwait(false), () => _room.Leave(bytes));
        }
        catch (Exception failure) // The edge: whatever it is, the client is told.
        {
            Fail(request, failure, () => _room.Leave(bytes));
        }
    }

    private void Show(NbdRequest request, ReadOnlyMemory<byte> payload, Action sent)
    {
        var head = _agreed.IsStructured ? ReplyHead.Chunk(request, NbdChunk.OffsetData, 8 + payload.Length, isLast: true, 8) : ReplyHead.Simple(request, NbdError.None);
        if (_agreed.IsStructured)
            BinaryPrimitives.WriteUInt64BigEndian(head.AsSpan(NbdNumbers.ChunkBytes), request.Offset);
        _output.Send(new(head, payload, sent));
        NbdTelemetry.Count(request.Command, NbdError.None);
    }

    // The room of one piece serves all of them, one after the other.
    private async Task ReadInPiecesAsync(NbdRequest request, int bytes)
    {
        var payload = ArrayPool<byte>.Shared.Rent(bytes);
        void Leave()
        {
            ArrayPool<byte>.Shared.Return(payload);
            _room.Leave(bytes);
        }

        for (uint at = 0; at < request.Length; at += PieceBytes)
        {
            var (length, offset, isLast) = ((int)Math.Min(PieceBytes, request.Length - at), request.Offset + at, request.Length - at <= PieceBytes);
            try
            {
                await _disk.ReadAsync(offset, payload.AsMemory(0, length)).ConfigureAwait(false);
            }
            catch (Exception failure) // The edge: whatever it is, the client is told.
            {
                Fail(request, failure, Leave);
                return;
            }

            var head = ReplyHead.Chunk(request, NbdChunk.OffsetData, 8 + length, isLast, 8);
            BinaryPrimitives.WriteUInt64BigEndian(head.AsSpan(NbdNumbers.ChunkBytes), offset);
            var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _output.Send(new(head, payload.AsMemory(0, length), sent.SetResult));
            await sent.Task.ConfigureAwait(false);
        }

        Leave();
        NbdTelemetry.Count(request.Command, NbdError.None);
    }

    // Pieces are written as they come in, so that a large write takes no more room than a few of them. A refused one is read over.
    private async ValueTask TakeWriteAsync(NbdRequest request, NbdError error)
    {
        if (error != NbdError.None)
        {
            if (request.Length > NbdNumbers.PayloadBytesMax)
                throw new ProtocolException($"a write of {request.Length} bytes; {NbdNumbers.PayloadBytesMax} at most");
            await _agreed.Input.SkipAsync(request.Length, _reading.Token).ConfigureAwait(false);
            await EnteredAsync(_room.EnterAsync(0)).ConfigureAwait(false);
            Fail(request, error, WhyNot(request, error), () => _room.Leave(0));
            return;
        }

        await EnteredAsync(_room.EnterAsync(0)).ConfigureAwait(false);
        var pieces = new Task[(request.Length + PieceBytes - 1) / PieceBytes];
        for (var i = 0; i < pieces.Length; i++)
        {
            var (at, length) = (request.Offset + ((ulong)i * PieceBytes), (int)Math.Min(PieceBytes, request.Length - ((uint)i * PieceBytes)));
            await EnteredAsync(_room.EnterAsync(length)).ConfigureAwait(false);
            try
            {
                pieces[i] = WriteAsync(at, await ReceiveAsync(length).ConfigureAwait(false), length);
            }
            catch
            {
                _room.Leave(0);
                throw;
            }
        }

        _ = AnswerAsync(request, 0, Task.WhenAll(pieces));
    }

    private async Task WriteAsync(ulong offset, byte[] payload, int length)
    {
        try
        {
            await _disk.WriteAsync(offset, payload.AsMemory(0, length)).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(payload);
            _room.Leave(length);
        }
    }

    private Task DoAsync(NbdRequest request) => request.Command switch
    {
        NbdCommand.Trim or NbdCommand.WriteZeroes => _disk.ZeroAsync(request.Offset, request.Length),
        NbdCommand.Cache => _disk.WarmAsync(request.Offset, request.Length, _end.Token),
        _ => Task.CompletedTask,
    };

    private async Task AnswerAsync(NbdRequest request, int bytes, Task work)
    {
        try
        {
            await work.ConfigureAwait(false);
            Done(request, () => _room.Leave(bytes));
        }
        catch (Exception failure) // The edge: whatever it is, the client is told.
        {
            Fail(request, failure, () => _room.Leave(bytes));
        }
    }

    private void Done(NbdRequest request, Action sent)
    {
        var head = _agreed.IsStructured ? ReplyHead.Chunk(request, NbdChunk.None, 0, isLast: true) : ReplyHead.Simple(request, NbdError.None);
        _output.Send(new(head, default, sent));
        NbdTelemetry.Count(request.Command, NbdError.None);
    }

    private async Task TellAsync(NbdRequest request)
    {
        try
        {
            var most = request.Flags.HasFlag(NbdCommandFlags.RequestOne) ? 1 : ExtentsMost;
            var extents = await _disk.ExtentsAsync(request.Offset, request.Length, most).ConfigureAwait(false);
            var depths = _agreed.Contexts.Contains(MetaContext.Depth) ? await (_depths ??= _disk.DepthsAsync()).ConfigureAwait(false) : [];
            var left = _agreed.Contexts.Count;
            foreach (var context in _agreed.Contexts)
            {
                var told = Told(context, extents, depths);
                var head = ReplyHead.Chunk(request, NbdChunk.BlockStatus, 4 + (8 * told.Count), isLast: --left == 0, 4 + (8 * told.Count));
                BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(NbdNumbers.ChunkBytes), context.Id);
                for (var i = 0; i < told.Count; i++)
                {
                    BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(NbdNumbers.ChunkBytes + 4 + (8 * i)), told[i].Length);
                    BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(NbdNumbers.ChunkBytes + 8 + (8 * i)), told[i].Status);
                }

                _output.Send(new(head, default, left == 0 ? () => _room.Leave(0) : () => { }));
            }

            NbdTelemetry.Count(request.Command, NbdError.None);
        }
        catch (Exception failure) // The edge: whatever it is, the client is told.
        {
            _depths = null;
            Fail(request, failure, () => _room.Leave(0));
        }
    }

    // Neighbours of one status are one; which they are depends on what is told.
    private static List<(uint Length, uint Status)> Told(MetaContext context, List<DiskExtent> extents, Dictionary<Koid, uint> depths)
    {
        const uint Hole = 1, Zero = 2;
        var told = new List<(uint Length, uint Status)>();
        foreach (var extent in extents)
        {
            var status = context == MetaContext.Allocation ? (extent.IsZero ? Hole | Zero : 0)
                : extent.Owner.IsNone ? 0
                // An ancestor that the handle may not see is farther up than itself.
                : context == MetaContext.Depth ? depths.GetValueOrDefault(extent.Owner, 2u)
                : (uint)extent.Owner.Value;
            if (told is [.., var last] && last.Status == status)
                told[^1] = (last.Length + (uint)extent.Length, status);
            else
                told.Add(((uint)extent.Length, status));
        }

        return told;
    }

    private void Fail(NbdRequest request, Exception failure, Action sent)
    {
        var error = NbdErrors.Of((failure as VmoException)?.Status ?? VmoStatus.Internal, request.Command);
        Fail(request, error, failure is VmoException ? failure.Message : "a failure of the server's own", () =>
        {
            sent();
            // Nothing that is asked of a handle that is gone will ever be answered otherwise.
            if (NbdErrors.IsEnd(error))
                _output.Complete();
        });
    }

    private void Fail(NbdRequest request, NbdError error, string why, Action sent)
    {
        NbdTelemetry.Count(request.Command, error);
        if (!_agreed.IsStructured)
        {
            _output.Send(new(ReplyHead.Simple(request, error), default, sent));
            return;
        }

        var text = Encoding.UTF8.GetBytes(why.Length <= 1000 ? why : why[..1000]);
        var head = ReplyHead.Chunk(request, NbdChunk.Error, 6 + text.Length, isLast: true, 6 + text.Length);
        BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(NbdNumbers.ChunkBytes), (uint)error);
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(NbdNumbers.ChunkBytes + 4), (ushort)text.Length);
        text.CopyTo(head.AsSpan(NbdNumbers.ChunkBytes + 6));
        _output.Send(new(head, default, sent));
    }
}
