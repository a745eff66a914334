using System.CommandLine;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;

namespace VmoCluster.Cli.Verbs;

/// <summary>replace H --rights LIST|same</summary>
internal sealed class ReplaceVerb : Verb
{
    private readonly Option<uint> _rights = OptionKinds.Bits(
        "--rights", "what the new handle may do", BitNames.Rights, isRequired: true, same: (uint)VmoRights.SameRights);

    public ReplaceVerb()
        : base("replace", VerbGroup.Handles, "swap a handle for a new one, as strong or weaker")
    {
        Form = "[H]";
        Details = "The old handle ends, also when the rights asked for were refused. With --rights same it gives a leaked handle a new secret.";
        Examples = ["H=$(vmo replace $H --rights same)"];
        TakeWords(1);
        Add(_rights);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var vmo = await run.VmoAsync(this, cancellation);
        var made = await vmo.ReplaceAsync((VmoRights)run.Get(_rights), cancellation);
        run.AnswerHandle(made, made.Rights ?? VmoRights.None);
        return ExitCodes.Ok;
    }
}
