using VmoCluster.Cli.Files;
using VmoCluster.Cli.Output;
using VmoCluster.Client;

namespace VmoCluster.Cli.Transfer;

/// <summary>
/// A file becomes a VMO: whole, or not at all. Holes are asked of the file system and not read, pages of zeros are not sent; pieces are cut
/// at MiB borders so that each is one commit of one extent. When anything fails, or Ctrl-C is pressed, the VMO is closed again.
/// </summary>
internal sealed class Import(VmoClient client, Surroundings surroundings, string name)
{
    // 16 MiB in flight: half of what one VMO queues, enough to keep a store busy over a round trip of some milliseconds.
    private const int PiecesInFlight = 16;

    // A stream's length is known at its end. The VMO grows ahead of it by doubling, so that growing costs few calls.
    private const ulong StreamBytesFirst = 64 << 20;

    private static readonly TimeSpan CloseWithin = TimeSpan.FromSeconds(10);

    private ulong _sent;

    /// <summary>Imports a file that can be read anywhere.</summary>
    public async Task<Imported> FileAsync(InputFile file, CancellationToken cancellation)
    {
        if (file.Length > Limits.SizeBytesMax)
            throw new VmoException(VmoStatus.OutOfRange, $"{file.Path} has {file.Length} bytes, a VMO at most {Limits.SizeBytesMax}");
        var vmo = await client.CreateAsync(file.Length, new() { Name = name }, cancellation);
        return await WholeOrClosedAsync(vmo, async () =>
        {
            using var progress = new Progress(surroundings, "import", file.Length);
            await using var window = Window(vmo, progress, cancellation);
            for (var at = 0ul; file.TryNextData(at, out var data); at = data.End)
                await SendAsync(window, file, data);
            await window.DrainAsync();
            file.ThrowIfChanged();
            return file.Length;
        }, cancellation);
    }

    /// <summary>Imports a stream to its end.</summary>
    public async Task<Imported> StreamAsync(Stream stream, CancellationToken cancellation)
    {
        var size = StreamBytesFirst;
        var vmo = await client.CreateAsync(size, new() { Name = name }, cancellation);
        return await WholeOrClosedAsync(vmo, async () =>
        {
            using var progress = new Progress(surroundings, "import", 0);
            await using var window = Window(vmo, progress, cancellation);
            var length = 0ul;
            while (true)
            {
                var buffer = await window.RoomAsync();
                var read = await StreamPieces.FillAsync(stream, buffer, cancellation);
                if (length + (ulong)read > size)
                    await vmo.SetSizeAsync(size = checked(size * 2), cancellation);
                window.Send(new(length, buffer.AsMemory(0, read)));
                length += (ulong)read;
                if (read < buffer.Length)
                    break;
            }

            await window.DrainAsync();
            await vmo.SetSizeAsync(length, cancellation);
            return length;
        }, cancellation);
    }

    private async Task<Imported> WholeOrClosedAsync(Vmo vmo, Func<Task<ulong>> transferAsync, CancellationToken cancellation)
    {
        try
        {
            var length = await transferAsync();
            // The size is whole pages; what of the last page is content is told apart.
            if (length % Limits.PageBytes != 0)
                await vmo.SetContentSizeAsync(length, cancellation);
            var info = await vmo.GetInfoAsync(cancellation: cancellation);
            return new(vmo, info.Rights, info.Size, info.ChargedBytes);
        }
        catch (Exception failure)
        {
            using var limited = new CancellationTokenSource(CloseWithin, surroundings.Time);
            try
            {
                await vmo.CloseAsync(limited.Token);
            }
            catch (Exception second) when (second is VmoException or OperationCanceledException)
            {
                // The first failure is the reason; that something was left is what a person must know besides.
                throw failure is VmoException refused
                    ? new VmoException(refused.Status, $"{refused.Message}; and the half-made VMO {vmo.Koid} could not be closed", refused.RetryAfter, failure)
                    : new VmoException(VmoStatus.Io, $"the half-made VMO {vmo.Koid} could not be closed: {second.Message}", inner: failure);
            }

            throw;
        }
    }

    private PieceWindow Window(Vmo vmo, Progress progress, CancellationToken cancellation) => new(
        PiecesInFlight,
        (piece, stop) => WriteAsync(vmo, piece, stop),
        piece => progress.Tell(piece.Offset + (ulong)piece.Bytes.Length, _sent),
        cancellation);

    private static async Task SendAsync(PieceWindow window, InputFile file, ByteRange data)
    {
        // Some file systems count holes in bytes; a page that begins in one is sent whole. The end is cut by the file's own length.
        for (var at = data.Offset & ~(ulong)(Limits.PageBytes - 1); at < data.End;)
        {
            var buffer = await window.RoomAsync();
            var length = (int)Math.Min(PieceWindow.PieceBytes - (at % PieceWindow.PieceBytes), data.End - at);
            var bytes = buffer.AsMemory(0, length);
            file.Read(at, bytes.Span);
            window.Send(new(at, bytes));
            at += (ulong)length;
        }
    }

    private async Task WriteAsync(Vmo vmo, Piece piece, CancellationToken cancellation)
    {
        for (var at = 0; ZeroPages.TryNextStretch(piece.Bytes.Span, at, out var stretch); at = stretch.End.Value)
        {
            await vmo.WriteAsync(piece.Offset + (ulong)stretch.Start.Value, piece.Bytes[stretch], cancellation);
            Interlocked.Add(ref _sent, (ulong)(stretch.End.Value - stretch.Start.Value));
        }
    }
}

/// <summary>What an import made.</summary>
/// <param name="Vmo">The VMO.</param>
/// <param name="Rights">Its handle's rights.</param>
/// <param name="Size">Bytes, whole pages.</param>
/// <param name="StoredBytes">Bytes stored for it: pages not all zero.</param>
internal sealed record Imported(Vmo Vmo, VmoRights Rights, ulong Size, ulong StoredBytes);
