using System.CommandLine;
using System.Globalization;
using VmoCluster.Cli.Output;

namespace VmoCluster.Cli.Verbs;

/// <summary>content-size H [--set N]</summary>
internal sealed class ContentSizeVerb : Verb
{
    private readonly Option<ulong?> _set = OptionKinds.MaybeNumber("--set", "the new content size in bytes, any number");

    public ContentSizeVerb()
        : base("content-size", VerbGroup.Objects, "print how many bytes are content, or change it")
    {
        Form = "[H]";
        Details = "The size is whole pages; how much of it is content, such as a file's own length, is kept beside it and limits nothing.";
        Examples = ["vmo content-size $H --set 1000"];
        TakeWords(1);
        Add(_set);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var vmo = await run.VmoAsync(this, cancellation);
        var asked = run.Get(_set);
        if (asked is { } set)
            await vmo.SetContentSizeAsync(set, cancellation);
        var size = asked ?? await vmo.GetContentSizeAsync(cancellation);
        run.Answer(json => json.WriteNumber("contentSize", size), size.ToString(CultureInfo.InvariantCulture));
        return ExitCodes.Ok;
    }
}
