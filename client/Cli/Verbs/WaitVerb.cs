using System.CommandLine;
using System.Text.Json;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.Client;

namespace VmoCluster.Cli.Verbs;

/// <summary>wait H... --signals zero-children,user0,... [--timeout T]</summary>
internal sealed class WaitVerb : Verb
{
    private readonly Option<uint> _signals = OptionKinds.Bits("--signals", "what to wait for: any of these", BitNames.Signals, isRequired: true);

    public WaitVerb()
        : base("wait", VerbGroup.Signals, "wait until a VMO shows one of some signals")
    {
        Form = "[H...]";
        Details = "Of several handles (16 at most) any will do. Without --timeout it waits for ever, with --timeout 0 it asks once. Prints the signals\n" +
            "observed; of several handles a line each, koid first. When the time is over: the same, and exit code 21.";
        Examples = ["vmo wait $H --signals user0", "vmo wait $A $B --signals zero-children,user7 --timeout 30s --json"];
        TakeWords();
        Add(_signals);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var mask = (VmoSignals)run.Get(_signals);
        var texts = await run.Handles.ManyAsync(run.Words(this), cancellation);
        var items = texts.Select(text => new WaitItem(VmoHandle.Parse(text), mask)).ToArray();
        var client = await run.ClientAsync(cancellation);
        var result = await client.WaitManyAsync(items, run.Timeout ?? Timeout.InfiniteTimeSpan, cancellation);
        run.Answer(json => Write(json, items, result), Print(items, result));
        return result.IsTimedOut
            ? throw new VmoException(VmoStatus.TimedOut, $"none of {BitNames.Signals.Join((uint)mask)} was seen within {run.Timeout?.TotalSeconds} s")
            : ExitCodes.Ok;
    }

    // 'signals' is all that was seen on any; which VMO showed what is told beside it.
    private static void Write(Utf8JsonWriter json, WaitItem[] items, WaitManyResult result)
    {
        json.WriteSignals("signals", result.Observed.Aggregate(VmoSignals.None, (all, some) => all | some));
        json.WriteBoolean("timedOut", result.IsTimedOut);
        json.WriteStartArray("observed");
        for (var i = 0; i < items.Length; i++)
        {
            json.WriteStartObject();
            json.WriteNumber("koid", items[i].Handle.Koid.Value);
            json.WriteSignals("signals", result.Observed[i]);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static string Print(WaitItem[] items, WaitManyResult result) => items.Length == 1
        ? BitNames.Signals.Join((uint)result.Observed[0])
        : string.Join('\n', items.Select((item, i) => $"{item.Handle.Koid} {BitNames.Signals.Join((uint)result.Observed[i])}"));
}
