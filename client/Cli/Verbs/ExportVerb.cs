using System.CommandLine;
using VmoCluster.Cli.Files;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.Cli.Transfer;

namespace VmoCluster.Cli.Verbs;

/// <summary>export H FILE|- [--force]</summary>
internal sealed class ExportVerb : Verb
{
    private readonly Option<bool> _force = OptionKinds.Flag("--force", "replace the file if there is one");

    public ExportVerb()
        : base("export", VerbGroup.Files, "copy a VMO's content into a file")
    {
        Form = "[H] FILE|-";
        Details = "The file has holes where the VMO has nothing or zeros; it has a temporary name in the same folder until it is whole. - is stdout, where\n" +
            "zeros are written as bytes and no result is printed. A VMO that is written meanwhile is not copied at one instant.";
        Examples = ["vmo export $H disk.img", "vmo export $H - | zstd > disk.img.zst"];
        TakeWords(2);
        Add(_force);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var path = run.LastWord(this) ?? throw new UsageException($"where to export to is missing: vmo export {Form}");
        // A handle where a file is meant would stand in the folder for all to read.
        if (VmoHandle.TryParse(path, out _))
            throw new UsageException($"the last word is a handle, where to export to is missing: vmo export {Form}");
        var mayReplace = run.Get(_force);
        if (path != "-")
            TargetFile.ThrowIfTaken(path, mayReplace);
        var (vmo, _) = await run.VmoAndWordAsync(this, "where to export to", cancellation);
        var export = new Export(vmo, run.Surroundings);
        if (path == "-")
        {
            _ = await export.RunAsync(new DenseSink(run.Surroundings.Out), cancellation);
            return ExitCodes.Ok;
        }

        using var file = TargetFile.Create(path, mayReplace);
        var (length, storedBytes) = await export.RunAsync(Sink.Of(file), cancellation);
        cancellation.ThrowIfCancellationRequested();
        file.Keep();
        run.Answer(
            json =>
            {
                json.WriteNumber("length", length);
                json.WriteNumber("storedBytes", storedBytes);
            },
            "");
        run.Hint($"{path}: {Progress.Bytes(length)}, {Progress.Bytes(storedBytes)} of them stored, the rest holes");
        return ExitCodes.Ok;
    }
}
