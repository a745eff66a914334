using System.CommandLine;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;

namespace VmoCluster.Cli.Verbs;

/// <summary>scrub [H|--all]</summary>
internal sealed class ScrubVerb : Verb
{
    private readonly Option<bool> _all = OptionKinds.Flag("--all", "the whole store, though VMO_HANDLE is set");
    private readonly Option<bool> _quick = OptionKinds.Flag("--quick", "records and layers only; pages are not read");

    public ScrubVerb()
        : base("scrub", VerbGroup.Operator, "look for damage in a VMO's family or the whole store")
    {
        Form = "[H]";
        Details = "Checks that every layer is there and reachable, every child known to its parent, every count right, every page's checksum; changes\n" +
            "nothing. With H (or VMO_HANDLE) its family, else the whole store. Needs the operator's credential, as ls does. A finding a line: koid,\n" +
            "what, detail; last how much was checked. Exit code 0: all is well, 42: there is damage.";
        Examples = ["vmo scrub --all", "vmo scrub $H --quick", "vmo scrub --all --json | tail -n 1 | jq .findings"];
        TakeWords(1);
        Add(_all);
        Add(_quick);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var (word, isAll) = (run.FirstWord(this), run.Get(_all));
        if (isAll && word is not null)
            throw new UsageException("--all is the whole store: leave the handle out");
        var family = isAll || (word is null && !run.Handles.HasDefault) ? Koid.None : (await run.Handles.OneAsync(word, cancellation)).Koid;
        var client = await run.OperatorAsync(cancellation);
        var walk = client.ScrubAsync(family, bytes: !run.Get(_quick));
        await foreach (var finding in walk.WithCancellation(cancellation))
        {
            run.Answer(
                json =>
                {
                    json.WriteNumber("koid", finding.Koid.Value);
                    json.WriteString("what", finding.What);
                    json.WriteString("detail", finding.Detail);
                },
                $"{finding.Koid,8} {TextCell.Print(finding.What),-14} {TextCell.Print(finding.Detail)}".TrimEnd());
        }

        run.Answer(
            json =>
            {
                json.WriteNumber("checked", walk.Checked);
                json.WriteNumber("findings", walk.Findings);
                json.WriteNumber("repaired", 0);
                json.WriteNumber("quarantined", 0);
            },
            $"checked {walk.Checked}, findings {walk.Findings}, repaired 0, quarantined 0");
        return walk.Findings == 0 ? ExitCodes.Ok : ExitCodes.Of(VmoStatus.DataIntegrity);
    }
}
