using System.CommandLine;
using VmoCluster.Cli.Files;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.Cli.Transfer;
using VmoCluster.Client;

namespace VmoCluster.Cli.Verbs;

/// <summary>write H --offset N [--in FILE]</summary>
internal sealed class WriteVerb : Verb
{
    private const int PiecesInFlight = 8;

    private readonly Option<ulong> _offset = OptionKinds.Number("--offset", "where the first byte goes", isRequired: true);
    private readonly Option<string?> _in = OptionKinds.Text("--in", "FILE", "the bytes; stdin if left out");

    public WriteVerb()
        : base("write", VerbGroup.Bytes, "write bytes into a VMO")
    {
        Form = "[H]";
        Details = "Up to 1 MiB is written at one instant, all or nothing. Of a longer file the whole range is checked before the first byte is sent;\n" +
            "a pipe is written in pieces of 1 MiB, one after another. On an error 'written' says how much of the beginning is acknowledged.";
        Examples = ["echo hello | vmo write $H --offset 0", "vmo write $H --offset 1MiB --in part.img"];
        TakeWords(1);
        Add(_offset);
        Add(_in);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var offset = run.Get(_offset);
        using var file = run.Get(_in) is { } path ? InputFile.Open(path) : null;
        if (file is null && (run.Words(this) is ["-"]))
            throw new UsageException("stdin is the handle, so the bytes must come from --in FILE");
        var vmo = await run.VmoAsync(this, cancellation);
        ulong length;
        if (file is { IsStream: false })
        {
            length = await FileAsync(vmo, offset, file, cancellation);
        }
        else
        {
            await using var stream = file?.AsStream();
            length = await StreamAsync(vmo, offset, stream ?? run.Surroundings.In, cancellation);
        }

        run.Answer(
            json =>
            {
                json.WriteNumber("offset", offset);
                json.WriteNumber("length", length);
            },
            "");
        return ExitCodes.Ok;
    }

    private static async Task<ulong> FileAsync(Vmo vmo, ulong offset, InputFile file, CancellationToken cancellation)
    {
        var written = 0ul;
        try
        {
            // One call is checked by the VMO itself, at the instant of the write.
            if (file.Length > PieceWindow.PieceBytes)
                RangeCheck.ThrowIfOutside(await vmo.GetInfoAsync(cancellation: cancellation), new(offset, file.Length), VmoRights.Write);
            await using var window = new PieceWindow(
                PiecesInFlight, (piece, stop) => vmo.WriteAsync(piece.Offset, piece.Bytes, stop), piece => written += (ulong)piece.Bytes.Length, cancellation);
            // An empty file is one call, too: a bad handle or offset is told.
            var at = 0ul;
            do
            {
                var bytes = (await window.RoomAsync()).AsMemory(0, (int)Math.Min(file.Length - at, PieceWindow.PieceBytes));
                file.Read(at, bytes.Span);
                window.Send(new(unchecked(offset + at), bytes));
                at += (ulong)bytes.Length;
            }
            while (at < file.Length);
            await window.DrainAsync();
            return written;
        }
        catch (Exception exception)
        {
            throw new PartlyDoneException("written", written, exception);
        }
    }

    private static async Task<ulong> StreamAsync(Vmo vmo, ulong offset, Stream stream, CancellationToken cancellation)
    {
        var written = 0ul;
        try
        {
            var (current, next) = (new byte[PieceWindow.PieceBytes], new byte[PieceWindow.PieceBytes]);
            var length = await StreamPieces.FillAsync(stream, current, cancellation);
            do
            {
                // The next piece is read while this one is written, but never sent before this one is acknowledged.
                var write = vmo.WriteAsync(unchecked(offset + written), current.AsMemory(0, length), cancellation);
                var read = length == current.Length ? StreamPieces.FillAsync(stream, next, cancellation) : Task.FromResult(0);
                await write;
                written += (ulong)length;
                length = await read;
                (current, next) = (next, current);
            }
            while (length > 0);
            return written;
        }
        catch (Exception exception)
        {
            throw new PartlyDoneException("written", written, exception);
        }
    }
}
