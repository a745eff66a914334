namespace VmoCluster.Client;

/// <summary>
/// A VMO as a .NET stream. Its length is the VMO's content size (or its size, by option); writing past it makes the VMO grow where it is
/// resizable. Reads run ahead and writes run behind within a window: a write is durable when <see cref="FlushAsync(CancellationToken)"/>
/// or disposal has returned. Refusals are <see cref="VmoException"/>. One user at a time, as streams are; synchronous methods wait for
/// the asynchronous ones on a thread of the pool.
/// </summary>
public sealed class VmoStream : Stream
{
    private readonly Vmo _vmo;
    private readonly VmoStreamOptions _options;
    private readonly ReadAhead _ahead;
    private readonly WriteBehind _behind;
    private ulong _position;

    // What is known of the VMO; null until asked. _size is never below what this stream has made of it.
    private ulong? _length;
    private ulong? _size;
    private bool _lengthChanged;
    private bool _isClosed;

    internal VmoStream(Vmo vmo, VmoStreamOptions options)
    {
        if (options.WindowBytes < 0)
            throw new VmoException(VmoStatus.InvalidArgs, $"a window of {options.WindowBytes} bytes");
        (_vmo, _options) = (vmo, options);
        (_ahead, _behind) = (new(vmo, options.WindowBytes), new(vmo, options.WindowBytes));
    }

    public override bool CanRead => !_isClosed;
    public override bool CanSeek => !_isClosed;
    public override bool CanWrite => !_isClosed;

    /// <summary>Content size in bytes, or size by option, as last seen. Asks the VMO the first time.</summary>
    public override long Length => (long)Math.Min(Wait(() => LengthAsync(CancellationToken.None)), long.MaxValue);

    public override long Position
    {
        get => (long)_position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = (ulong)value;
        }
    }

    /// <summary>Reads what is there, at least a byte unless the end is reached.</summary>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        if (!_behind.IsEmpty)
            await FlushAsync(cancellationToken).ConfigureAwait(false);
        if (buffer.Length == 0)
            return 0;

        // At the known end it is asked again: others may have made it grow.
        if (_position >= await LengthAsync(cancellationToken).ConfigureAwait(false))
            _length = null;
        var end = Math.Min(await LengthAsync(cancellationToken).ConfigureAwait(false), await SizeAsync(cancellationToken).ConfigureAwait(false));
        if (_position >= end)
            return 0;
        var count = (int)Math.Min((ulong)buffer.Length, end - _position);
        if (_options.WindowBytes > 0)
            count = await _ahead.ReadAsync(_position, buffer[..count], end, cancellationToken).ConfigureAwait(false);
        else
            await _vmo.ReadAsync(_position, buffer[..count], cancellationToken).ConfigureAwait(false);
        _position += (ulong)count;
        return count;
    }

    /// <summary>Takes all bytes; see <see cref="FlushAsync(CancellationToken)"/> for when they are durable.</summary>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        if (buffer.Length == 0)
            return;
        _ahead.Drop();
        var end = _position + (ulong)buffer.Length;
        var length = await LengthAsync(cancellationToken).ConfigureAwait(false);
        if (_options.WindowBytes > 0)
        {
            await _behind.WriteAsync(_position, buffer, RoomAsync, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await RoomAsync(end, cancellationToken).ConfigureAwait(false);
            await _vmo.WriteAsync(_position, buffer, cancellationToken).ConfigureAwait(false);
        }

        _position = end;
        if (end > length)
            (_length, _lengthChanged) = (end, true);
        if (_options.WindowBytes == 0)
            await SettleLengthAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Returns when everything written is acknowledged, and the content size with it.</summary>
    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        await _behind.FlushAsync(RoomAsync, cancellationToken).ConfigureAwait(false);
        await SettleLengthAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sets content size or size by option; the VMO grows where it must.</summary>
    public async Task SetLengthAsync(ulong value, CancellationToken cancellation = default)
    {
        await FlushAsync(cancellation).ConfigureAwait(false);
        _ahead.Drop();
        if (_options.LengthIsSize)
        {
            await _vmo.SetSizeAsync(value, cancellation).ConfigureAwait(false);
            (_size, _length) = (null, null);
            return;
        }

        await RoomAsync(value, cancellation).ConfigureAwait(false);
        (_length, _lengthChanged) = (value, true);
        await SettleLengthAsync(cancellation).ConfigureAwait(false);
    }

    public override long Seek(long offset, SeekOrigin origin)
    {
        var from = origin switch { SeekOrigin.Begin => 0, SeekOrigin.Current => Position, _ => Length };
        var to = checked(from + offset);
        if (to < 0)
            throw new IOException($"a seek to {to}, before the stream's begin");
        return Position = to;
    }

    public override void SetLength(long value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value);
        Wait(() => SetLengthAsync((ulong)value));
    }

    public override void Flush() => Wait(() => FlushAsync(CancellationToken.None));

    public override int Read(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        return Wait(() => ReadAsync(buffer.AsMemory(offset, count)).AsTask());
    }

    public override void Write(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        Wait(() => WriteAsync(buffer.AsMemory(offset, count)).AsTask());
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask DisposeAsync()
    {
        if (_isClosed)
            return;
        try
        {
            await FlushAsync(CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            _ahead.Drop();
            _isClosed = true;
        }

        await base.DisposeAsync().ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isClosed)
            Wait(() => DisposeAsync().AsTask());
        base.Dispose(disposing);
    }

    private async Task<ulong> LengthAsync(CancellationToken cancellation) => _length ??= _options.LengthIsSize
        ? await SizeAsync(cancellation, isFresh: true).ConfigureAwait(false)
        : await _vmo.GetContentSizeAsync(cancellation).ConfigureAwait(false);

    // A content size may lie beyond the size; there are no bytes there. The size is asked again when what is known of it falls short.
    private async ValueTask<ulong> SizeAsync(CancellationToken cancellation, bool isFresh = false)
    {
        if (isFresh || _size is not { } size || size < _length)
            _size = size = await _vmo.GetSizeAsync(cancellation).ConfigureAwait(false);
        return size;
    }

    private async ValueTask RoomAsync(ulong end, CancellationToken cancellation)
    {
        _size ??= await _vmo.GetSizeAsync(cancellation).ConfigureAwait(false);
        if (end <= _size)
            return;
        await _vmo.SetSizeAsync(end, cancellation).ConfigureAwait(false);

        // Setting the size has moved the content size with it.
        (_size, _lengthChanged) = (end, true);
    }

    private async ValueTask SettleLengthAsync(CancellationToken cancellation)
    {
        if (!_lengthChanged)
            return;
        if (!_options.LengthIsSize && _length is { } length)
            await _vmo.SetContentSizeAsync(length, cancellation).ConfigureAwait(false);
        _lengthChanged = false;
    }

    private void ThrowIfClosed() => ObjectDisposedException.ThrowIf(_isClosed, this);

    // On the pool, so that whatever the caller's thread must not be blocked for (a grain's turn, a user interface) is not waited upon.
    private static T Wait<T>(Func<Task<T>> run) => Task.Run(run).GetAwaiter().GetResult();

    private static void Wait(Func<Task> run) => Task.Run(run).GetAwaiter().GetResult();
}
