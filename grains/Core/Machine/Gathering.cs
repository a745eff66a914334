using VmoCluster.Core.Live;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// Before a snapshot of a live clone, or of a reference, is decided: one moment over all live ancestors is gathered, each of which pins what it
/// shows and grants the whole of itself. The call stands at the head of the queue meanwhile, so that nothing of this VMO changes; what
/// ancestors change is asked for again. When the call has come to an end without children, the pins are given back.
/// </summary>
internal sealed class Gathering(MachineState state, PinDesk pins)
{
    /// <summary>Walks after which ancestors are asked to hold their changes for a moment.</summary>
    private const int WalksFree = 3;

    /// <summary>Walks after which the caller is told to come again.</summary>
    private const int WalksMax = 8;

    // Those under which something may still be pinned for the call.
    private readonly HashSet<ulong> _stamps = [];
    private CallChange? _call;
    private Gather? _flying;
    private IReadOnlyList<LiveLevel> _levels = [];
    private int _walks;

    /// <summary>What was gathered for the call at the head of the queue; null: it needs nothing, or it has failed.</summary>
    public LiveMoment? Moment { get; private set; }

    /// <summary>Why nothing could be gathered.</summary>
    public Outcome Failure { get; private set; }

    /// <summary>
    /// Whether a clone call at the head of the queue can be decided now: it needs no moment, there is one that is valid, or there will be none.
    /// </summary>
    public bool IsReady(CallChange change, CloneCall call)
    {
        if (!ReferenceEquals(_call, change))
        {
            if (!IsNeeded(change, call))
                return true;
            _call = change;
        }

        if (change.DeadlineMs <= state.Now.MonotonicMs || !Failure.IsOk || Moment?.IsValid(state.Owner.Session) == true)
            return true;
        Moment = null;
        if (_flying is null)
            Walk(call);
        return _flying is null;
    }

    public void Gathered(Gathered input)
    {
        GiveBack(input.Strays);
        if (!ReferenceEquals(input.Gather, _flying))
        {
            // The call has ended meanwhile.
            GiveBack(input.Levels);
            return;
        }

        _flying = null;
        _levels = input.Levels;
        if (input.Outcome.IsOk)
            Moment = new(input.Levels);
        else
            Failure = input.Outcome;
    }

    /// <summary>A call has come to an end; born: its children come next, and with them what was pinned is told.</summary>
    public void Ended(Change change, bool isBorn)
    {
        if (!ReferenceEquals(change, _call))
            return;
        if (!isBorn)
            GiveBack(_levels);
        _stamps.Clear();
        (_call, _flying, _levels, _walks, Moment, Failure) = (null, null, [], 0, null, Outcome.Ok);
    }

    /// <summary>What is known of a pin: while the call is under way it may come to something.</summary>
    public Outcome? Claim(IsPinned ask) =>
        _stamps.Contains(ask.Stamp) || state.Record.Intent?.Pins.Any(pin => pin.Stamp == ask.Stamp && pin.Layer.Home == ask.Home) == true
            ? new(VmoStatus.ShouldWait, "children are being made", 1000)
            : null;

    // What stands against the call anyway is answered without asking anybody.
    private bool IsNeeded(CallChange change, CloneCall call) =>
        change.DeadlineMs > state.Now.MonotonicMs
        && Authority.Check(state.Record.Handles, call.Head.Secret, VmoRights.Duplicate | VmoRights.Read, state.Now, out var handle).IsOk
        && new BirthPlan(state.Record, state.Layer, handle!, call, state.Now) is var plan && plan.Decide().IsOk && plan.NeedsMoment;

    private void Walk(CloneCall call)
    {
        if (++_walks > WalksMax)
        {
            Failure = new(VmoStatus.ShouldWait, $"ancestors changed in each of the {WalksMax} times in which they were asked for one moment", 100);
            return;
        }

        var stamp = pins.NextStamp();
        _stamps.Add(stamp);
        _flying = new(
            state.Record.Meta.ShownVmo, state.Record.Lineage, new(state.Owner.Session, new(call.First, call.Count), state.Record.Meta.Koid, stamp, _walks > WalksFree), _levels);
        state.Effects.Add(_flying);
    }

    private void GiveBack(IReadOnlyList<LiveLevel> levels)
    {
        foreach (var level in levels.Where(level => level.Layer != 0))
            state.Effects.Add(new TellKin(level.Vmo, new Unpin(state.Record.Meta.Koid, level.Stamp, level.Layer, [])));
    }
}
