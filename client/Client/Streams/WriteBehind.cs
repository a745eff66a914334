using System.Buffers;

namespace VmoCluster.Client;

/// <summary>
/// Gathers a sequential writer's bytes into calls of 1 MiB and keeps a window of them in flight. A refusal shows with the next write or
/// flush and stays: what was behind it may be written or not.
/// </summary>
internal sealed class WriteBehind(Vmo vmo, int windowBytes)
{
    private readonly Queue<(byte[] Buffer, Task<ulong> Writing)> _flights = new();
    private byte[]? _buffer;
    private int _count;
    private ulong _start;
    private Exception? _failure;

    public bool IsEmpty => _count == 0 && _flights.Count == 0;

    /// <summary>Takes all of the source. Before bytes behind the room's end are sent, room is asked for.</summary>
    public async ValueTask WriteAsync(
        ulong position, ReadOnlyMemory<byte> source, Func<ulong, CancellationToken, ValueTask> room, CancellationToken cancellation)
    {
        ThrowIfFailed();

        // What does not continue the run may overlap it, and calls in flight keep no order among themselves.
        if (!IsEmpty && position != _start + (ulong)_count)
            await FlushAsync(room, cancellation).ConfigureAwait(false);
        if (IsEmpty)
            _start = position;
        while (source.Length > 0)
        {
            _buffer ??= ArrayPool<byte>.Shared.Rent(Limits.CallBytesMax);
            var count = Math.Min(source.Length, Limits.CallBytesMax - _count);
            source[..count].CopyTo(_buffer.AsMemory(_count));
            (_count, source) = (_count + count, source[count..]);
            if (_count == Limits.CallBytesMax)
                await SendAsync(room, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Sends what is gathered and waits until everything is acknowledged.</summary>
    public async ValueTask FlushAsync(Func<ulong, CancellationToken, ValueTask> room, CancellationToken cancellation)
    {
        if (_count > 0 && _failure is null)
            await SendAsync(room, cancellation).ConfigureAwait(false);
        while (_flights.Count > 0)
            await LandAsync(cancellation).ConfigureAwait(false);
        ThrowIfFailed();
    }

    private async ValueTask SendAsync(Func<ulong, CancellationToken, ValueTask> room, CancellationToken cancellation)
    {
        await room(_start + (ulong)_count, cancellation).ConfigureAwait(false);
        while (_flights.Count >= Math.Max(1, windowBytes / Limits.CallBytesMax))
            await LandAsync(cancellation).ConfigureAwait(false);
        ThrowIfFailed();
        _flights.Enqueue((_buffer!, vmo.WriteAsync(_start, _buffer.AsMemory(0, _count), CancellationToken.None)));
        (_buffer, _start, _count) = (null, _start + (ulong)_count, 0);
    }

    // Who gives up waiting leaves the flight where it is: its buffer is its own until it has ended.
    private async ValueTask LandAsync(CancellationToken cancellation)
    {
        var (buffer, writing) = _flights.Peek();
        try
        {
            await writing.WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception failure) when (writing.IsCompleted)
        {
            _failure ??= failure;
        }

        _flights.Dequeue();
        ArrayPool<byte>.Shared.Return(buffer);
    }

    private void ThrowIfFailed()
    {
        if (_failure is VmoException refused)
            throw new VmoException(refused.Status, $"written behind: {refused.Message}", refused.RetryAfter, refused);
        if (_failure is not null)
            throw new IOException("written behind: " + _failure.Message, _failure);
    }
}
