using VmoCluster.Cli.Output;

namespace VmoCluster.Cli.Verbs;

/// <summary>revoke H</summary>
internal sealed class RevokeVerb : Verb
{
    public RevokeVerb()
        : base("revoke", VerbGroup.Handles, "end a handle and all that was derived from it")
    {
        Form = "[H]";
        Details = "When it has answered, nothing is accepted any more through any of them, anywhere.";
        Examples = ["vmo revoke $H"];
        TakeWords(1);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var vmo = await run.VmoAsync(this, cancellation);
        await vmo.RevokeAsync(cancellation);
        run.Answer(json => json.WriteBoolean("revoked", true), "");
        return ExitCodes.Ok;
    }
}
