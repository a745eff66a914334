using System.CommandLine;
using VmoCluster.Cli.Output;

namespace VmoCluster.Cli.Verbs;

/// <summary>name H [--set S]</summary>
internal sealed class NameVerb : Verb
{
    private readonly Option<string?> _set = OptionKinds.Text("--set", "S", "the new name, cut to 31 bytes");

    public NameVerb()
        : base("name", VerbGroup.Objects, "print a VMO's name, or change it")
    {
        Form = "[H]";
        Details = "A name is for people: it need not be unique and nothing is found by it but by the operator's ls.";
        Examples = ["vmo name $H --set base-image"];
        TakeWords(1);
        Add(_set);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var vmo = await run.VmoAsync(this, cancellation);
        var asked = run.Get(_set);
        if (asked is not null)
            await vmo.SetNameAsync(asked, cancellation);
        // What was set is told without asking: reading a name needs another right than setting it.
        var name = asked is not null ? Cut(asked) : await vmo.GetNameAsync(cancellation);
        run.Answer(json => json.WriteString("name", name), name);
        return ExitCodes.Ok;
    }

    /// <summary>A name as the cluster keeps it: at most 31 bytes of UTF-8, cut between characters.</summary>
    internal static string Cut(string name)
    {
        var (bytes, chars) = (0, 0);
        foreach (var rune in name.EnumerateRunes())
        {
            bytes += rune.Utf8SequenceLength;
            if (bytes > Limits.NameBytesMax)
                return name[..chars];
            chars += rune.Utf16SequenceLength;
        }

        return name;
    }
}
