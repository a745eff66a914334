using System.Buffers;
using VmoCluster.Client;
using VmoCluster.NbdDoor.Disk;
using VmoCluster.NbdDoor.Handshake;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor.Serving;

/// <summary>
/// The requests of one client, many at once, answered as they are done. What is written is durable before it is answered, so FLUSH and FUA have nothing left to write. A
/// request is not read before there is room for it, and leaves its room when its answer is sent.
/// </summary>
internal sealed class Transmission : IAsyncDisposable
{
    // One read, or one write, of the VMO.
    private const int PieceBytes = Limits.CallBytesMax;

    // What is no larger goes together. Larger writes gain nothing from company, and more of them are under way at once alone.
    private const uint SmallReadBytes = 64 << 10;
    private const uint SmallWriteBytes = 16 << 10;

    private readonly Agreement _agreed;
    private readonly VmoDisk _disk;
    private readonly RequestRoom _room;
    private readonly SmallCalls _smallReads;
    private readonly SmallCalls _smallWrites;
    private readonly NbdOutput _output;
    private readonly Replies _replies;
    private readonly BlockStatus _status;
    private readonly TimeSpan _drain;
    private readonly CancellationToken _stopped;
    private readonly CancellationTokenSource _end = new();
    private readonly CancellationTokenSource _reading;
    private readonly CancellationTokenRegistration _stopping;

    // Why no request is done any more: the handle is gone. Null once it does not matter.
    private readonly TaskCompletionSource<string?> _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _endingWithHandle;
    private readonly Task _endingWithOutput;

    public Transmission(Agreement agreed, NbdOptions options, SharedRoom shared, CancellationToken stopped)
    {
        (_agreed, _disk, _drain) = (agreed, agreed.Disk, options.Drain);
        _room = new(options.RequestsMax, options.PayloadBytesMax, shared);
        (_smallReads, _smallWrites) = (new(ReadTogetherAsync), new(WriteTogetherAsync));
        (_stopped, _reading) = (stopped, CancellationTokenSource.CreateLinkedTokenSource(stopped, _end.Token));
        _output = new(agreed.Stream, options.TimeProvider, _end.Token);
        (_replies, _status) = (new(_output, agreed.IsStructured), new(_disk, agreed.Contexts, options.TimeProvider));
        (_endingWithHandle, _endingWithOutput) = (EndWithHandleAsync(), EndWithOutputAsync());
        // Whatever the client does then, also where it had said goodbye and does not read what it was sent.
        _stopping = stopped.Register(() => _end.CancelAfter(2 * _drain));
    }

    /// <summary>Whether it has some of the room that all connections share, and its client has taken nothing for so long.</summary>
    public bool IsStalled(TimeSpan time) => _room.Borrowed > 0 && _output.StalledFor >= time;

    /// <summary>Ends it, whatever the client has not been sent. Once it has ended, nothing.</summary>
    public void End()
    {
        try
        {
            _end.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended.
        }
    }

    private bool IsGone => _gone.Task is { IsCompletedSuccessfully: true, Result: not null };

    /// <summary>
    /// Serves until the client leaves, the handle is gone or the server is told to stop; what was taken by then is answered, if it is done soon, and all answers are sent where the client reads
    /// them. Throws <see cref="ProtocolException"/> and <see cref="IOException"/>s.
    /// </summary>
    public async Task RunAsync()
    {
        try
        {
            await TakeAllAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stopped.IsCancellationRequested && !_end.IsCancellationRequested)
        {
            await _room.EmptyAsync().WaitAsync(_drain).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // Of one that does not read, what was sent is not waited for.
            _end.CancelAfter(_drain);
        }
        catch (OperationCanceledException) when (IsGone)
        {
            // All has been told.
        }
        catch (Exception)
        {
            // Nor of one that has said what nobody understands, or is gone.
            _end.CancelAfter(_drain);
            throw;
        }
        finally
        {
            await _output.DisposeAsync().ConfigureAwait(false);
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

    /// <summary>Comes back when the client's last request is done: until then it takes what a client takes. A server that ends does not wait for that.</summary>
    public async ValueTask DisposeAsync()
    {
        await _output.DisposeAsync().ConfigureAwait(false);
        await _endingWithOutput.ConfigureAwait(false);
        await _room.EmptyAsync().WaitAsync(_stopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _gone.TrySetResult(null);
        await _endingWithHandle.ConfigureAwait(false);
        await _stopping.DisposeAsync().ConfigureAwait(false);
        _reading.Dispose();
        _end.Dispose();
    }

    // Who cannot be answered any more need not be heard, and what he wanted to read need not be read.
    private async Task EndWithOutputAsync()
    {
        await _output.Sent.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _end.CancelAsync().ConfigureAwait(false);
    }

    // Nothing that is asked of a handle that is gone will ever be answered otherwise. What the client has sent by then is told so, too, and what was taken before has its answer, if that is done soon.
    private async Task EndWithHandleAsync()
    {
        if (await _gone.Task.ConfigureAwait(false) is null)
            return;
        await Task.Delay(_drain, _end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _room.EmptyAsync().WaitAsync(_drain).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _output.Complete();
        _end.CancelAfter(_drain);
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
            NbdCommand.BlockStatus => BlockStatus.AnswerBytes,
            _ => 0,
        };
        await _room.EnterAsync(bytes, _reading.Token).ConfigureAwait(false);
        if (error != NbdError.None)
        {
            _replies.Fail(request, error, WhyNot(request, error), () => _room.Leave(0));
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
        var entering = _room.EnterAsync(length, _reading.Token);
        // Those that wait to be sent may be what the room is full of; and nobody waits for a payload that is still to come.
        if (!entering.IsCompleted || (isWrite && !_agreed.Input.Has(length)))
            Go();
        await entering.ConfigureAwait(false);
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

    // One that fails fails alone: all are asked again one by one.
    private async Task ReadTogetherAsync(List<SmallCall> reads)
    {
        byte[] bytes;
        try
        {
            bytes = await _disk.ReadManyAsync([.. reads.Select(read => new ByteRange(read.Request.Offset, read.Request.Length))], _end.Token).ConfigureAwait(false);
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
            _replies.Show(request, bytes.AsMemory(at, (int)request.Length), () => _room.Leave((int)request.Length));
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
                _replies.Done(request, () => _room.Leave((int)request.Length));
        }
    }

    // What the disk has nothing to do with.
    private NbdError Judge(NbdRequest request)
    {
        if (IsGone)
            return NbdError.Shutdown;
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
        NbdError.Shutdown => _gone.Task.Result!,
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
            await _disk.ReadAsync(request.Offset, payload.AsMemory(0, bytes), _end.Token).ConfigureAwait(false);
        }
        catch (Exception failure) // The edge: whatever it is, the client is told.
        {
            ArrayPool<byte>.Shared.Return(payload);
            Fail(request, failure, () => _room.Leave(bytes));
            return;
        }

        _replies.Show(request, payload.AsMemory(0, bytes), () =>
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
            _replies.Show(request, await _disk.ReadManyAsync([new(request.Offset, request.Length)], _end.Token).ConfigureAwait(false), () => _room.Leave(bytes));
        }
        catch (Exception failure) // The edge: whatever it is, the client is told.
        {
            Fail(request, failure, () => _room.Leave(bytes));
        }
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
                await _disk.ReadAsync(offset, payload.AsMemory(0, length), _end.Token).ConfigureAwait(false);
            }
            catch (Exception failure) // The edge: whatever it is, the client is told.
            {
                Fail(request, failure, Leave);
                return;
            }

            var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _replies.ShowPiece(request, offset, payload.AsMemory(0, length), isLast, sent.SetResult);
            await sent.Task.ConfigureAwait(false);
        }

        Leave();
        NbdTelemetry.Count(request.Command, NbdError.None);
    }

    // A refused one is read over.
    private async ValueTask TakeWriteAsync(NbdRequest request, NbdError error)
    {
        if (error == NbdError.None)
        {
            await _room.EnterAsync(0, _reading.Token).ConfigureAwait(false);
            var pieces = new List<Task>();
            try
            {
                await TakePiecesAsync(request, pieces).ConfigureAwait(false);
            }
            catch
            {
                // It was broken off: what has come of it is written, and nobody is told that it is done.
                _ = LeaveBehindAsync(pieces);
                throw;
            }

            _ = AnswerAsync(request, 0, Task.WhenAll(pieces));
            return;
        }

        if (request.Length > NbdNumbers.PayloadBytesMax)
            throw new ProtocolException($"a write of {request.Length} bytes; {NbdNumbers.PayloadBytesMax} at most");
        await _agreed.Input.SkipAsync(request.Length, _reading.Token).ConfigureAwait(false);
        await _room.EnterAsync(0, _reading.Token).ConfigureAwait(false);
        _replies.Fail(request, error, WhyNot(request, error), () => _room.Leave(0));
    }

    private async Task LeaveBehindAsync(List<Task> pieces)
    {
        await Task.WhenAll(pieces).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _room.Leave(0);
    }

    // They are written as they come in, so that a large write takes no more room than a few of them. When one has failed, the rest is not tried.
    private async ValueTask TakePiecesAsync(NbdRequest request, List<Task> pieces)
    {
        var hasFailed = false;
        for (uint at = 0; at < request.Length; at += PieceBytes)
        {
            var length = (int)Math.Min(PieceBytes, request.Length - at);
            await _room.EnterAsync(length, _reading.Token).ConfigureAwait(false);
            if (Volatile.Read(ref hasFailed))
            {
                _room.Leave(length);
                await _agreed.Input.SkipAsync(request.Length - at, _reading.Token).ConfigureAwait(false);
                return;
            }

            pieces.Add(WriteAsync(request.Offset + at, await ReceiveAsync(length).ConfigureAwait(false), length));
        }

        async Task WriteAsync(ulong offset, byte[] payload, int length)
        {
            try
            {
                await _disk.WriteAsync(offset, payload.AsMemory(0, length)).ConfigureAwait(false);
            }
            catch
            {
                Volatile.Write(ref hasFailed, true);
                throw;
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(payload);
                _room.Leave(length);
            }
        }
    }

    private Task DoAsync(NbdRequest request) => request.Command switch
    {
        NbdCommand.Trim => _disk.TrimAsync(request.Offset, request.Length),
        NbdCommand.WriteZeroes => _disk.ZeroAsync(request.Offset, request.Length),
        NbdCommand.Cache => _disk.WarmAsync(request.Offset, request.Length, _end.Token),
        _ => _disk.FlushAsync(_end.Token),
    };

    private async Task AnswerAsync(NbdRequest request, int bytes, Task work)
    {
        try
        {
            await work.ConfigureAwait(false);
            _replies.Done(request, () => _room.Leave(bytes));
        }
        catch (Exception failure) // The edge: whatever it is, the client is told.
        {
            Fail(request, failure, () => _room.Leave(bytes));
        }
    }

    private async Task TellAsync(NbdRequest request)
    {
        try
        {
            _replies.Tell(request, await _status.TellAsync(request, _end.Token).ConfigureAwait(false), () => _room.Leave(BlockStatus.AnswerBytes));
        }
        catch (Exception failure) // The edge: whatever it is, the client is told.
        {
            Fail(request, failure, () => _room.Leave(BlockStatus.AnswerBytes));
        }
    }

    private void Fail(NbdRequest request, Exception failure, Action sent)
    {
        if (failure is OperationCanceledException && _end.IsCancellationRequested)
        {
            // Nobody is left to be told.
            sent();
            return;
        }

        var (error, why) = (NbdErrors.Of((failure as VmoException)?.Status ?? VmoStatus.Internal, request.Command), failure is VmoException ? failure.Message : "a failure of the server's own");
        _replies.Fail(request, error, why, sent);
        if (NbdErrors.IsEnd(error))
            _gone.TrySetResult(why);
    }
}
