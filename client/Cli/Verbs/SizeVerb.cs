using System.CommandLine;
using System.Globalization;
using VmoCluster.Cli.Output;

namespace VmoCluster.Cli.Verbs;

/// <summary>size H [--set N]</summary>
internal sealed class SizeVerb : Verb
{
    private readonly Option<ulong?> _set = OptionKinds.MaybeNumber("--set", "the new size in bytes, rounded up to whole pages");

    public SizeVerb()
        : base("size", VerbGroup.Objects, "print a VMO's size in bytes, or change it")
    {
        Form = "[H]";
        Details = "Shrinking drops the bytes beyond the new end; growing adds zeros. A VMO made with --fixed answers UNAVAILABLE.";
        Examples = ["vmo size $H", "vmo size $H --set 2GiB"];
        TakeWords(1);
        Add(_set);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var vmo = await run.VmoAsync(this, cancellation);
        ulong size;
        if (run.Get(_set) is { } asked)
        {
            await vmo.SetSizeAsync(asked, cancellation);
            size = Pages.RoundUp(asked);
        }
        else
        {
            size = await vmo.GetSizeAsync(cancellation);
        }

        run.Answer(json => json.WriteNumber("size", size), size.ToString(CultureInfo.InvariantCulture));
        return ExitCodes.Ok;
    }
}
