using System.CommandLine;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;

namespace VmoCluster.Cli.Verbs;

/// <summary>duplicate H --rights LIST|same [--expires T] [--range OFF,LEN]</summary>
internal sealed class DuplicateVerb : Verb
{
    private readonly Option<uint> _rights = OptionKinds.Bits(
        "--rights", "what the new handle may do", BitNames.Rights, isRequired: true, same: (uint)VmoRights.SameRights);

    private readonly Option<Expiry?> _expires = Expiry.Option("when it ends by itself, from now; never later than H", isRequired: false);
    private readonly Option<ByteRange?> _range = OptionKinds.Range("--range", "the only bytes it may touch; offsets stay the VMO's");

    public DuplicateVerb()
        : base("duplicate", VerbGroup.Handles, "make another handle of a VMO, as strong or weaker")
    {
        Form = "[H]";
        Details = "Rights: " + string.Join(", ", BitNames.Rights.All) + "; none; same.\n" +
            "A handle can only give what it has. What was derived from a handle ends with it when it is revoked.";
        Examples =
        [
            "vmo duplicate $H --rights read,duplicate",
            "vmo duplicate $H --rights read --expires 1h --range 1MiB,64KiB",
        ];
        TakeWords(1);
        Add(_rights);
        Add(_expires);
        Add(_range);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var expires = run.Get(_expires)?.ToMoment(run.Surroundings.Time);
        var vmo = await run.VmoAsync(this, cancellation);
        var made = await vmo.DuplicateAsync((VmoRights)run.Get(_rights), expires, run.Get(_range), cancellation);
        run.AnswerHandle(made, made.Rights ?? VmoRights.None);
        return ExitCodes.Ok;
    }
}
