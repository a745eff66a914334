using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.Client;
using VmoCluster.Messages;

namespace VmoCluster.Cli.Verbs;

/// <summary>ls [--label K=V] [--name GLOB]</summary>
internal sealed class LsVerb : Verb
{
    private readonly Option<Dictionary<string, string>> _label = OptionKinds.LabelSet("--label", "only VMOs with this label");
    private readonly Option<string?> _name = OptionKinds.Text("--name", "GLOB", "only VMOs whose name matches: * and ? as in a shell");

    public LsVerb()
        : base("ls", VerbGroup.Operator, "list all VMOs")
    {
        Details = "Needs the operator's credential: the file that VMO_OPERATOR_FILE names, else the one in the data folder of the node\n" +
            "on this machine. A line a VMO, in the order of their making; with --json an object a line.";
        Examples = ["vmo ls", "vmo ls --label team=ci --name 'base-*' --json"];
        Add(_label);
        Add(_name);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var labels = run.Get(_label) ?? [];
        if (labels.Count > 1)
            throw new UsageException("--label: one at most");
        var client = await run.OperatorAsync(cancellation);
        var filter = labels.Count == 1
            ? new VmoListFilter(labels.Keys.First(), labels.Values.First(), run.Get(_name))
            : new VmoListFilter(NameGlob: run.Get(_name));
        var isFirst = true;
        await foreach (var vmo in client.ListAsync(filter, cancellation))
        {
            if (isFirst)
                run.Heading(Line("KOID", "SIZE", "STORED", "HANDLES", "KIND", "NAME  LABELS"));
            isFirst = false;
            run.Answer(json => Write(json, vmo), Print(vmo));
        }

        return ExitCodes.Ok;
    }

    private static void Write(Utf8JsonWriter json, VmoInfo vmo)
    {
        json.WriteNumber("koid", vmo.Koid.Value);
        json.WriteString("name", vmo.Name ?? "");
        json.WriteNumber("size", vmo.Size);
        json.WriteNumber("storedBytes", vmo.ChargedBytes);
        json.WriteNumber("handleCount", vmo.HandleCount ?? 0);
        json.WriteString("kind", InfoVerb.KindName(vmo.Kind));
        json.WriteNumber("parentKoid", vmo.Parent.Value);
        json.WriteLabels("labels", vmo.Labels ?? []);
    }

    private static string Print(VmoInfo vmo) => Line(
        vmo.Koid.ToString(),
        vmo.Size.ToString(CultureInfo.InvariantCulture),
        vmo.ChargedBytes.ToString(CultureInfo.InvariantCulture),
        (vmo.HandleCount ?? 0).ToString(CultureInfo.InvariantCulture),
        InfoVerb.KindName(vmo.Kind),
        string.IsNullOrEmpty(vmo.Name) ? "-" : TextCell.Print(vmo.Name)) + (vmo.Labels is { Count: > 0 } labels ? $"  {TextCell.Print(labels)}" : "");

    private static string Line(string koid, string size, string stored, string handles, string kind, string rest) =>
        new StringBuilder().Append(CultureInfo.InvariantCulture, $"{koid,8} {size,16} {stored,14} {handles,7} {kind,-9} {rest}").ToString();
}
