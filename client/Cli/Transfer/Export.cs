using VmoCluster.Cli.Output;
using VmoCluster.Client;

namespace VmoCluster.Cli.Transfer;

/// <summary>
/// A VMO becomes a file: its content (up to the content size), asked by LOOKUP where there is data and read only there. It is read piece by
/// piece: a VMO that is written meanwhile gives each MiB as it was at some instant, not all at one.
/// </summary>
internal sealed class Export(Vmo vmo, Surroundings surroundings)
{
    private const int PiecesInFlight = 16;

    // A gap between data shorter than this is cheaper read than asked around.
    private const ulong GapBytes = 64 << 10;

    private ulong _stored;

    /// <summary>Copies into a sink. Returns the length and how many bytes of it are stored.</summary>
    public async Task<(ulong Length, ulong StoredBytes)> RunAsync(Sink sink, CancellationToken cancellation)
    {
        var info = await vmo.GetInfoAsync(cancellation: cancellation);
        // A content size may stand above the size; bytes there are none.
        var length = Math.Min(info.ContentSize ?? info.Size, info.Size);
        using var progress = new Progress(surroundings, "export", length);
        await using var window = new PieceWindow(
            PiecesInFlight,
            (piece, stop) => vmo.ReadAsync(piece.Offset, piece.Bytes, stop),
            piece =>
            {
                sink.Put(piece.Offset, piece.Bytes.Span);
                progress.Tell(piece.Offset + (ulong)piece.Bytes.Length, _stored);
            },
            cancellation);
        await foreach (var stretch in StretchesAsync(length, cancellation))
        {
            var buffer = await window.RoomAsync();
            window.Send(new(stretch.Offset, buffer.AsMemory(0, (int)stretch.Length)));
        }

        await window.DrainAsync();
        sink.Finish(length);
        return (length, _stored);
    }

    // Data as calls: joined over small gaps, cut at MiB borders and at the length.
    private async IAsyncEnumerable<ByteRange> StretchesAsync(ulong length, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        // The ends of the stretch being gathered; nothing yet while they are equal.
        var (begin, end) = (0ul, 0ul);
        if (length == 0)
            yield break;
        await foreach (var run in vmo.LookupAsync(new(0, length), cancellation))
        {
            if (run.IsZero)
                continue;
            var until = Math.Min(run.Range.End, length);
            _stored += run.Range.Length;
            for (var at = run.Range.Offset; at < until;)
            {
                var border = Math.Min(until, Border(at));
                if (end > begin && at - end < GapBytes && at < Border(begin))
                {
                    end = border;
                }
                else
                {
                    if (end > begin)
                        yield return new(begin, end - begin);
                    (begin, end) = (at, border);
                }

                at = border;
            }
        }

        if (end > begin)
            yield return new(begin, end - begin);
    }

    // The first MiB border after an offset; none follows in the last MiB of all.
    private static ulong Border(ulong offset)
    {
        var border = (offset | (PieceWindow.PieceBytes - 1)) + 1;
        return border == 0 ? ulong.MaxValue : border;
    }
}
