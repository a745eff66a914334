using System.CommandLine;
using VmoCluster.Cli.Files;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.Cli.Transfer;

namespace VmoCluster.Cli.Verbs;

/// <summary>import FILE|- [--name S]</summary>
internal sealed class ImportVerb : Verb
{
    private readonly Option<string?> _name = OptionKinds.Text("--name", "S", "its name; the file's if left out");

    public ImportVerb()
        : base("import", VerbGroup.Files, "make a VMO of a file and print its handle")
    {
        Form = "FILE|-";
        Details = "Holes and zeros are neither read nor sent nor stored. - is stdin; a FIFO is read like it. The size is the file's, in whole pages, the\n" +
            "content size its exact length. A file that changes meanwhile is refused. If anything fails, or on Ctrl-C, nothing is left.";
        Examples = ["H=$(vmo import disk.img)", "zstd -dc disk.img.zst | vmo import - --name disk"];
        TakeWords(1);
        Add(_name);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var path = run.FirstWord(this) ?? throw new UsageException("what to import is missing: vmo import FILE|-");
        using var file = path == "-" ? null : InputFile.Open(path);
        var client = await run.ClientAsync(cancellation);
        var import = new Import(client, run.Surroundings, run.Get(_name) ?? (file is { IsFifo: false } ? NameVerb.Cut(Path.GetFileName(path)) : ""));
        Imported made;
        if (file is { IsStream: false })
        {
            made = await import.FileAsync(file, cancellation);
        }
        else
        {
            await using var stream = file?.AsStream();
            made = await import.StreamAsync(stream ?? run.Surroundings.In, cancellation);
        }

        run.AnswerHandle(made.Vmo, made.Rights, made.Size, made.StoredBytes);
        run.Hint($"{Progress.Bytes(made.Size)}, {Progress.Bytes(made.StoredBytes)} of them stored; back into a file: vmo export <handle> FILE");
        return ExitCodes.Ok;
    }
}
