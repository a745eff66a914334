using VmoCluster.Core.Record;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>Waits for signals. ZERO_CHILDREN is what the record's set of children says, which contains every living one.</summary>
internal sealed class WaitDesk(MachineState state)
{
    private readonly List<(Ticket Ticket, VmoSignals Mask, uint Handle, long UntilMs)> _waits = [];

    public VmoSignals Signals => SignalsOf(state.Record);

    public static VmoSignals SignalsOf(VmoRecord record) => record.UserSignals | (record.Children.Count == 0 ? VmoSignals.ZeroChildren : VmoSignals.None);

    /// <summary>When the first wait ends by itself.</summary>
    public long NextMs => _waits.Count == 0 ? long.MaxValue : _waits.Min(wait => wait.UntilMs);

    public void Wait(Ticket ticket, WaitCall call)
    {
        var outcome = Authority.Check(state.Record.Handles, call.Head.Secret, VmoRights.Wait, state.Now, out var handle);
        if (!outcome.IsOk)
            Tell(ticket, outcome);
        else if ((Signals & call.Mask) != 0)
            Tell(ticket, Outcome.Ok);
        else if (call.PollMs <= 0)
            Tell(ticket, TimedOut(call.Mask));
        else if (_waits.Count >= Limits.WaitsPerVmoMax)
            Tell(ticket, new(VmoStatus.ShouldWait, $"{Limits.WaitsPerVmoMax} waits are pending on the VMO, its most", 1000));
        else
            _waits.Add((ticket, call.Mask, handle!.Number, state.Now.MonotonicMs + Math.Min(call.PollMs, Limits.WaitPollMs)));
    }

    /// <summary>Signals may have changed, and handles ended.</summary>
    public void Changed(IReadOnlyList<uint> ended)
    {
        for (var i = _waits.Count - 1; i >= 0; i--)
        {
            var wait = _waits[i];
            if ((Signals & wait.Mask) != 0)
                Tell(wait.Ticket, Outcome.Ok);
            else if (ended.Contains(wait.Handle))
                Tell(wait.Ticket, new(VmoStatus.Canceled, "the handle waited on was closed"));
            else
                continue;
            _waits.RemoveAt(i);
        }
    }

    public void Tick()
    {
        for (var i = _waits.Count - 1; i >= 0; i--)
        {
            if (_waits[i].UntilMs > state.Now.MonotonicMs)
                continue;
            Tell(_waits[i].Ticket, TimedOut(_waits[i].Mask));
            _waits.RemoveAt(i);
        }
    }

    public void EndAll(Outcome outcome)
    {
        foreach (var wait in _waits)
            Tell(wait.Ticket, outcome);
        _waits.Clear();
    }

    private Outcome TimedOut(VmoSignals mask) => new(VmoStatus.TimedOut, $"none of the signals {mask} was set; set are {Signals}");

    private void Tell(Ticket ticket, Outcome outcome) =>
        state.Effects.Add(new Answer(ticket, new VmoReply { Outcome = outcome, Signals = Signals, Version = state.Layer.Seq }, FromMemory: true));
}
