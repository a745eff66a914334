using System.CommandLine;
using VmoCluster.Cli.Files;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Transfer;

namespace VmoCluster.Cli.Verbs;

/// <summary>read H --offset N --length N [--out FILE]</summary>
internal sealed class ReadVerb : Verb
{
    private const int PiecesInFlight = 8;

    private readonly Option<ulong> _offset = OptionKinds.Number("--offset", "the first byte", isRequired: true);
    private readonly Option<ulong> _length = OptionKinds.Number("--length", "how many bytes", isRequired: true);
    private readonly Option<string?> _out = OptionKinds.Text("--out", "FILE", "write to a file, which appears when all was read");

    public ReadVerb()
        : base("read", VerbGroup.Bytes, "print bytes of a VMO")
    {
        Form = "[H]";
        Details = "The bytes come as they are; with --json, too, unless --out is given. Up to 1 MiB is read at one instant, more is read in pieces\n" +
            "of 1 MiB. Nothing is printed unless the first piece could be read and the whole range lies inside.";
        Examples = ["vmo read $H --offset 0 --length 512 | xxd | head", "vmo read --offset 1MiB --length 1GiB --out part.img"];
        TakeWords(1);
        Add(_offset);
        Add(_length);
        Add(_out);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var (offset, length, path) = (run.Get(_offset), run.Get(_length), run.Get(_out));
        if (path is not null)
            TargetFile.ThrowIfTaken(path, mayReplace: true);
        var vmo = await run.VmoAsync(this, cancellation);

        var first = new byte[(int)Math.Min(length, PieceWindow.PieceBytes)];
        await vmo.ReadAsync(offset, first, cancellation);
        if (length > PieceWindow.PieceBytes)
            RangeCheck.ThrowIfOutside(await vmo.GetInfoAsync(cancellation: cancellation), new(offset, length));

        using var file = path is null ? null : TargetFile.Create(path, mayReplace: true);
        var sink = file is null ? new DenseSink(run.Surroundings.Out) : Sink.Of(file);
        sink.Put(0, first);
        await using (var window = new PieceWindow(
            PiecesInFlight,
            (piece, stop) => vmo.ReadAsync(offset + piece.Offset, piece.Bytes, stop),
            piece => sink.Put(piece.Offset, piece.Bytes.Span),
            cancellation))
        {
            for (var at = (ulong)first.Length; at < length;)
            {
                var bytes = (await window.RoomAsync()).AsMemory(0, (int)Math.Min(length - at, PieceWindow.PieceBytes));
                window.Send(new(at, bytes));
                at += (ulong)bytes.Length;
            }

            await window.DrainAsync();
        }

        sink.Finish(length);
        file?.Keep();
        if (file is not null)
            run.Answer(json => json.WriteNumber("length", length), "");
        return ExitCodes.Ok;
    }
}
