using System.CommandLine;
using System.Globalization;
using System.Text;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.Client;
using VmoCluster.Messages;

namespace VmoCluster.Cli.Verbs;

/// <summary>op H commit|decommit|zero|lookup --offset N --length N</summary>
internal sealed class OpVerb : Verb
{
    private readonly Option<ulong> _offset = OptionKinds.Number("--offset", "where the range begins", isRequired: true);
    private readonly Option<ulong> _length = OptionKinds.Number("--length", "how many bytes it has", isRequired: true);

    public OpVerb()
        : base("op", VerbGroup.Bytes, "commit, decommit, zero or look up a range")
    {
        Form = "[H] commit|decommit|zero|lookup";
        Details = "commit    make pages the VMO's own; those that read zero store no bytes\n" +
            "decommit  drop whole pages: they show what the parent has again, in a root zeros, and their bytes are freed\n" +
            "zero      make bytes zero, at any alignment; whole pages are freed\n" +
            "lookup    print where there is something: offset, length, data or zero, and whose it is";
        Examples = ["vmo op $H zero --offset 100 --length 1GiB", "vmo op $H lookup --offset 0 --length $(vmo size $H)"];
        TakeWords(2);
        Words.CompletionSources.Add("commit", "decommit", "zero", "lookup");
        Add(_offset);
        Add(_length);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        // The word is looked at before the handle: a usage error asks nothing.
        VmoOp op = run.LastWord(this) switch
        {
            "commit" => VmoOp.Commit,
            "decommit" => VmoOp.Decommit,
            "zero" => VmoOp.Zero,
            "lookup" => VmoOp.Lookup,
            null => throw new UsageException("say which: commit, decommit, zero or lookup"),
            var word => throw new UsageException($"'{Failure.WithoutSecrets(word)}' is not one of commit, decommit, zero, lookup"),
        };
        var (vmo, _) = await run.VmoAndWordAsync(this, "the operation", cancellation);
        var range = new ByteRange(run.Get(_offset), run.Get(_length));
        if (op == VmoOp.Lookup)
            return await LookupAsync(run, vmo, range, cancellation);
        await vmo.OpRangeAsync(op, range, cancellation);
        run.Answer(
            json =>
            {
                json.WriteNumber("offset", range.Offset);
                json.WriteNumber("length", range.Length);
            },
            "");
        return ExitCodes.Ok;
    }

    private static async Task<int> LookupAsync(Run run, Vmo vmo, ByteRange range, CancellationToken cancellation)
    {
        var runs = new List<LookupRun>();
        await foreach (var found in vmo.LookupAsync(range, cancellation))
            runs.Add(found);
        var text = new StringBuilder();
        foreach (var found in runs)
            text.Append(CultureInfo.InvariantCulture, $"{found.Range.Offset} {found.Range.Length} {State(found)} {found.Owner}\n");
        run.Answer(
            json =>
            {
                json.WriteStartArray("runs");
                foreach (var found in runs)
                {
                    json.WriteStartObject();
                    json.WriteNumber("offset", found.Range.Offset);
                    json.WriteNumber("length", found.Range.Length);
                    json.WriteString("state", State(found));
                    json.WriteNumber("owner", found.Owner.Value);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
            },
            text.ToString().TrimEnd('\n'));
        return ExitCodes.Ok;
    }

    private static string State(LookupRun run) => run.IsZero ? "zero" : "data";
}
