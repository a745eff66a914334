using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;

namespace VmoCluster.Cli.Verbs;

/// <summary>handle KOID</summary>
internal sealed class HandleVerb : Verb
{
    public HandleVerb()
        : base("handle", VerbGroup.Operator, "make a new handle with all rights of a VMO, by its koid")
    {
        Form = "KOID";
        Details = "For a VMO whose handles were lost. Needs the operator's credential, as ls does; every use of it is in the node's log.";
        Examples = ["vmo handle 42"];
        TakeWords(1);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var word = run.FirstWord(this) ?? throw new UsageException("which VMO is missing: vmo handle KOID");
        if (!Numbers.TryParse(word, out var koid))
            throw new UsageException($"'{Failure.WithoutSecrets(word)}' is not a koid: a number, as vmo ls and vmo info print it");
        var client = await run.OperatorAsync(cancellation);
        var made = await client.OperatorHandleAsync(new(koid), cancellation);
        run.AnswerHandle(made, made.Rights ?? VmoRights.None);
        return ExitCodes.Ok;
    }
}
