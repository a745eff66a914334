using System.Globalization;
using System.Text.Json;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.Messages;

namespace VmoCluster.Cli.Verbs;

/// <summary>explain H PAGE</summary>
internal sealed class ExplainVerb : Verb
{
    public ExplainVerb()
        : base("explain", VerbGroup.Objects, "tell where the bytes of one page come from, and who is charged for them")
    {
        Form = "[H] PAGE";
        Details = "PAGE is an index: the offset divided by 4096. A line a level, from H down to the one that decides: koid, kind, the page's offset there,\n" +
            "layer, answer. Answers: own, zero, through (hides what is under it in its own layers), absent, frozen (bytes of a frozen layer), parent\n" +
            "(a live parent was asked). The last line tells the blob and the bytes charged to each VMO. With --json an object a line.";
        Examples = ["vmo explain $H 0", "vmo explain $H 0x100 --json | tail -n 1 | jq .charged"];
        TakeWords(2);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        // The word is looked at before the handle: a usage error asks nothing.
        var word = run.LastWord(this) ?? throw new UsageException($"the page is missing: vmo explain {Form}");
        if (!Numbers.TryParse(word, out var page))
            throw new UsageException($"'{Failure.WithoutSecrets(word)}' is not a page: {Numbers.Form}");
        var (vmo, _) = await run.VmoAndWordAsync(this, "the page", cancellation);
        var told = await vmo.ExplainAsync(page, cancellation);
        run.Heading(Line("KOID", "KIND", "OFFSET", "LAYER", "ANSWER"));
        foreach (var level in told.Levels)
        {
            run.Answer(
                json => Write(json, level),
                Line(level.Koid.ToString(), InfoVerb.KindName(level.Kind), level.Offset.ToString(CultureInfo.InvariantCulture), TextCell.Print(level.Layer), TextCell.Print(level.Answer)));
        }

        run.Answer(json => Write(json, told), Print(told));
        return ExitCodes.Ok;
    }

    private static void Write(Utf8JsonWriter json, ExplainLevel level)
    {
        json.WriteNumber("koid", level.Koid.Value);
        json.WriteString("kind", InfoVerb.KindName(level.Kind));
        json.WriteNumber("offset", level.Offset);
        json.WriteString("layer", level.Layer);
        json.WriteString("answer", level.Answer);
    }

    private static void Write(Utf8JsonWriter json, Explanation told)
    {
        json.WriteString("blob", told.Blob);
        json.WriteStartArray("charged");
        foreach (var charge in told.Charged)
        {
            json.WriteStartObject();
            json.WriteNumber("koid", charge.Koid.Value);
            json.WriteNumber("bytes", charge.Bytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static string Print(Explanation told)
    {
        var charged = told.Charged.Length == 0 ? "nobody" : string.Join(", ", told.Charged.Select(charge => $"{charge.Koid} {charge.Bytes}"));
        return $"blob {(told.Blob is { } blob ? TextCell.Print(blob) : "none")}  charged: {charged}";
    }

    private static string Line(string koid, string kind, string offset, string layer, string answer) => $"{koid,8} {kind,-9} {offset,20} {layer,-16} {answer}";
}
