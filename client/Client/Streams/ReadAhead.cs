using System.Buffers;

namespace VmoCluster.Client;

/// <summary>
/// The stretches that a sequential reader will want next, asked for before it does. At most a window of bytes is held or under way.
/// What was read ahead is as old as its asking; a seek or a write throws it away.
/// </summary>
internal sealed class ReadAhead(Vmo vmo, int windowBytes)
{
    private const int StretchBytes = Limits.MessageBytesMax;

    private sealed record Stretch(ulong Offset, byte[] Buffer, int Length, Task<ulong> Reading)
    {
        public ulong End => Offset + (ulong)Length;
    }

    // Neighbouring stretches in order; the reader stands in the first.
    private readonly Queue<Stretch> _stretches = new();
    private ulong _next;

    /// <summary>Copies what is there for this position, waiting for it where it is under way. Never passes the end.</summary>
    public async ValueTask<int> ReadAsync(ulong position, Memory<byte> destination, ulong end, CancellationToken cancellation)
    {
        if (_stretches.TryPeek(out var first) ? position < first.Offset || position >= first.End : position != _next)
            Drop();
        if (_stretches.Count == 0)
            _next = position;
        Fill(end);
        first = _stretches.Peek();
        try
        {
            await first.Reading.WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (VmoException)
        {
            Drop();
            throw;
        }

        var at = (int)(position - first.Offset);
        var count = Math.Min(destination.Length, first.Length - at);
        first.Buffer.AsSpan(at, count).CopyTo(destination.Span);
        if (at + count == first.Length)
        {
            GiveBack(_stretches.Dequeue());
            Fill(end);
        }

        return count;
    }

    /// <summary>Forgets everything.</summary>
    public void Drop()
    {
        while (_stretches.TryDequeue(out var stretch))
            GiveBack(stretch);
        _next = ulong.MaxValue;
    }

    private void Fill(ulong end)
    {
        var most = Math.Max(1, windowBytes / StretchBytes);
        while (_stretches.Count < most && _next < end)
        {
            var length = (int)Math.Min(StretchBytes, end - _next);
            var buffer = ArrayPool<byte>.Shared.Rent(length);
            _stretches.Enqueue(new(_next, buffer, length, vmo.ReadAsync(_next, buffer.AsMemory(0, length))));
            _next += (ulong)length;
        }
    }

    // A buffer whose read is still under way is written to; it goes back when that has ended.
    private static void GiveBack(Stretch stretch) => stretch.Reading.ContinueWith(
        static (ended, buffer) =>
        {
            _ = ended.Exception;
            ArrayPool<byte>.Shared.Return((byte[])buffer!);
        },
        stretch.Buffer,
        CancellationToken.None,
        TaskContinuationOptions.ExecuteSynchronously,
        TaskScheduler.Default);
}
