namespace VmoCluster.NbdDoor.Wire;

/// <summary>
/// The bytes of one client, read ahead so that many small requests come with one system call. Of a large payload what is not yet here is read
/// where it belongs.
/// </summary>
internal sealed class NbdInput(Stream stream)
{
    private readonly byte[] _buffer = new byte[64 << 10];
    private int _start;
    private int _end;

    /// <summary>Whether bytes wait that were sent before anybody asked for them.</summary>
    public bool HasMore => _start < _end;

    /// <summary>Whether so many of them are here already.</summary>
    public bool Has(int count) => _end - _start >= count;

    /// <summary>The next bytes, valid until the next call; at most the buffer's. Null: the client has ended cleanly, between two messages.</summary>
    public async ValueTask<ReadOnlyMemory<byte>?> TryReadAsync(int count, CancellationToken cancellation)
    {
        if (_end - _start < count)
        {
            _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
            while (_end < count)
            {
                var got = await stream.ReadAsync(_buffer.AsMemory(_end), cancellation).ConfigureAwait(false);
                if (got == 0)
                    return _end == 0 ? null : throw new EndOfStreamException($"the client ended within a message: {_end} of {count} bytes");
                _end += got;
            }
        }

        var read = _buffer.AsMemory(_start, count);
        _start += count;
        return read;
    }

    /// <summary>The next bytes; an end within or before them is an <see cref="EndOfStreamException"/>.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(int count, CancellationToken cancellation) =>
        await TryReadAsync(count, cancellation).ConfigureAwait(false) ?? throw new EndOfStreamException("the client ended within a message");

    /// <summary>Fills a payload's memory.</summary>
    public async ValueTask FillAsync(Memory<byte> payload, CancellationToken cancellation)
    {
        var here = Math.Min(payload.Length, _end - _start);
        _buffer.AsSpan(_start, here).CopyTo(payload.Span);
        _start += here;
        // A short rest is read ahead with what follows it; a long one past the buffer.
        for (var rest = payload[here..]; rest.Length > 0;)
        {
            if (rest.Length < _buffer.Length)
            {
                (await ReadAsync(rest.Length, cancellation).ConfigureAwait(false)).CopyTo(rest);
                return;
            }

            var got = await stream.ReadAsync(rest, cancellation).ConfigureAwait(false);
            if (got == 0)
                throw new EndOfStreamException($"the client ended within a payload of {payload.Length} bytes, {rest.Length} before its end");
            rest = rest[got..];
        }
    }

    /// <summary>Reads bytes that nobody wants.</summary>
    public async ValueTask SkipAsync(long count, CancellationToken cancellation)
    {
        while (count > 0)
        {
            var some = (int)Math.Min(count, _buffer.Length);
            await ReadAsync(some, cancellation).ConfigureAwait(false);
            count -= some;
        }
    }
}
