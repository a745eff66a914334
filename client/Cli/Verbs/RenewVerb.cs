using System.CommandLine;
using VmoCluster.Cli.Output;

namespace VmoCluster.Cli.Verbs;

/// <summary>renew H --expires T</summary>
internal sealed class RenewVerb : Verb
{
    private readonly Option<Expiry?> _expires = Expiry.Option("when it shall end, from now", isRequired: true);

    public RenewVerb()
        : base("renew", VerbGroup.Handles, "move the time at which a handle ends")
    {
        Form = "[H]";
        Details = "It may come closer at will, and go later up to the end of the handle it was derived from. Prints when it ends now.";
        Examples = ["vmo renew $H --expires 10m"];
        TakeWords(1);
        Add(_expires);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var asked = run.Get(_expires)?.ToMoment(run.Surroundings.Time);
        var vmo = await run.VmoAsync(this, cancellation);
        var expires = await vmo.RenewAsync(asked, cancellation);
        run.Answer(json => json.WriteMoment("expires", expires), expires is { } moment ? Moments.Print(moment) : "never");
        return ExitCodes.Ok;
    }
}
