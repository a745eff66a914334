using System.CommandLine;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;

namespace VmoCluster.Cli.Verbs;

/// <summary>signal H [--set user0,...] [--clear ...]</summary>
internal sealed class SignalVerb : Verb
{
    private readonly Option<uint> _set = OptionKinds.Bits("--set", "signals to set: user0 to user7", BitNames.Signals);
    private readonly Option<uint> _clear = OptionKinds.Bits("--clear", "signals to clear, before setting", BitNames.Signals);

    public SignalVerb()
        : base("signal", VerbGroup.Signals, "set and clear a VMO's user signals, in one step")
    {
        Form = "[H]";
        Details = "Whoever waits for one of them with vmo wait is woken. With --json the signals as they are afterwards are told.";
        Examples = ["vmo signal $H --set user0 --clear user1"];
        TakeWords(1);
        Add(_set);
        Add(_clear);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        if (!run.Has(_set) && !run.Has(_clear))
            throw new UsageException("nothing to do: give --set or --clear, or both");
        var vmo = await run.VmoAsync(this, cancellation);
        await vmo.SignalAsync((VmoSignals)run.Get(_clear), (VmoSignals)run.Get(_set), cancellation);
        var signals = run.IsJson ? (await vmo.GetInfoAsync(cancellation: cancellation)).Signals : VmoSignals.None;
        run.Answer(json => json.WriteSignals("signals", signals), "");
        return ExitCodes.Ok;
    }
}
