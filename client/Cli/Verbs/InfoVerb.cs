using System.Globalization;
using System.Text;
using System.Text.Json;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.Messages;

namespace VmoCluster.Cli.Verbs;

/// <summary>info H</summary>
internal sealed class InfoVerb : Verb
{
    public InfoVerb()
        : base("info", VerbGroup.Objects, "tell everything about a VMO and the handle it is asked through")
    {
        Form = "[H]";
        Details = "What needs a right that the handle lacks is left out: name, contentSize and labels need get-property, handleCount needs inspect.";
        Examples = ["vmo info $H", "vmo info $H --json | jq .chargedBytes"];
        TakeWords(1);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var vmo = await run.VmoAsync(this, cancellation);
        var info = await vmo.GetInfoAsync(cancellation: cancellation);
        run.Answer(json => Write(json, info), Print(info));
        return ExitCodes.Ok;
    }

    private static void Write(Utf8JsonWriter json, VmoInfo info)
    {
        json.WriteNumber("koid", info.Koid.Value);
        json.WriteString("type", "vmo");
        json.WriteRights("rights", info.Rights);
        if (info.HandleCount is { } handles)
            json.WriteNumber("handleCount", handles);
        if (info.Name is { } name)
            json.WriteString("name", name);
        json.WriteNumber("size", info.Size);
        if (info.ContentSize is { } contentSize)
            json.WriteNumber("contentSize", contentSize);
        json.WriteBoolean("resizable", info.IsResizable);
        json.WriteString("kind", KindName(info.Kind));
        json.WriteNumber("parentKoid", info.Parent.Value);
        json.WriteNumber("offset", info.Offset);
        json.WriteNumber("numChildren", info.ChildCount);
        json.WriteNumber("numMappings", info.MappingCount);
        json.WriteNumber("committedBytes", info.CommittedBytes);
        json.WriteNumber("chargedBytes", info.ChargedBytes);
        json.WriteNumber("wouldFree", info.WouldFreeBytes);
        json.WriteNumber("version", info.Version);
        json.WriteSignals("signals", info.Signals);
        json.WriteMoment("expires", Moments.OfUnixMs(info.ExpiresMs));
        json.WriteRange("range", info.Range);
        if (info.Labels is { } labels)
            json.WriteLabels("labels", labels);
    }

    /// <summary>The same, a line a fact, under the same names.</summary>
    private static string Print(VmoInfo info)
    {
        var text = new StringBuilder();
        Line("koid", info.Koid.ToString());
        Line("type", "vmo");
        Line("rights", BitNames.Rights.Join((uint)info.Rights));
        Line("handleCount", info.HandleCount?.ToString(CultureInfo.InvariantCulture));
        Line("name", info.Name is null ? null : TextCell.Print(info.Name));
        Line("size", Number(info.Size));
        Line("contentSize", info.ContentSize is { } contentSize ? Number(contentSize) : null);
        Line("resizable", info.IsResizable ? "yes" : "no");
        Line("kind", KindName(info.Kind));
        Line("parentKoid", info.Parent.ToString());
        Line("offset", Number(info.Offset));
        Line("numChildren", Number((ulong)info.ChildCount));
        Line("numMappings", Number((ulong)info.MappingCount));
        Line("committedBytes", Number(info.CommittedBytes));
        Line("chargedBytes", Number(info.ChargedBytes));
        Line("wouldFree", Number(info.WouldFreeBytes));
        Line("version", Number(info.Version));
        Line("signals", BitNames.Signals.Join((uint)info.Signals));
        Line("expires", Moments.OfUnixMs(info.ExpiresMs) is { } moment ? Moments.Print(moment) : "never");
        Line("range", info.Range is { } range ? $"{range.Offset},{range.Length}" : "all");
        Line("labels", info.Labels is null ? null : TextCell.Print(info.Labels));
        return text.ToString().TrimEnd('\n');

        void Line(string key, string? value)
        {
            if (value is not null)
                text.Append($"{key,-14} {value}".TrimEnd()).Append('\n');
        }
    }

    /// <summary>A kind as the command line writes it.</summary>
    internal static string KindName(VmoKind kind) => kind.ToString().ToLowerInvariant();

    private static string Number(ulong number) => number.ToString(CultureInfo.InvariantCulture);
}
