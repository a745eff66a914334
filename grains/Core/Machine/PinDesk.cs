using VmoCluster.Core.Family;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// Pins from both sides. As the home of pinned layers it asks about each pin that nobody has confirmed for a while, so that one whose asker
/// forgot it, or died on the way, keeps no layer for ever. As an asker it answers by the truth.
/// </summary>
internal sealed class PinDesk(MachineState state, ChangeQueue queue, Destruction destruction)
{
    /// <summary>Milliseconds after which an unconfirmed pin is asked about, again and again.</summary>
    private const int PatienceMs = 3000;

    // When each pin is asked about next, on this owner's clock.
    private readonly Dictionary<(uint Layer, Koid Asker, ulong Stamp), long> _askAtMs = [];
    private uint _stamps;
    private readonly Dictionary<IsPinned, PinEntry> _asked = new(ReferenceEqualityComparer.Instance);

    /// <summary>
    /// What is going on here for which this VMO may have asked for pins: each says ShouldWait for a stamp under which it may still come to
    /// something, Ok where it has, and null where it knows nothing of it. When none knows of it, nothing will ever come of it.
    /// </summary>
    public List<Func<IsPinned, Outcome?>> Claims { get; } = [];

    /// <summary>Whether pins wait to be confirmed.</summary>
    public bool IsWaiting => !state.Record.Pins.IsEmpty;

    /// <summary>A stamp that was never given.</summary>
    public ulong NextStamp() => PinEntry.StampOf(state.Owner.Epoch, ++_stamps);

    /// <summary>What came of a pin that this VMO asked for.</summary>
    public Outcome Answer(IsPinned ask)
    {
        if (!destruction.HasLetGo && ask.Users == new KoidRange(state.Record.Meta.Koid, 1)
            && state.Layer.Below.Bases.Any(item => item.Layer.Home == ask.Home && item.Layer.Number == ask.Layer))
            return Outcome.Ok;
        foreach (var claim in Claims)
        {
            if (claim(ask) is { } outcome)
                return outcome;
        }

        return new(VmoStatus.NotFound, $"nothing is known here of a pin with stamp {ask.Stamp:x}");
    }

    /// <summary>Time has passed.</summary>
    public void Tick()
    {
        if (!IsWaiting)
        {
            _askAtMs.Clear();
            return;
        }

        foreach (var entry in state.Record.Pins.Entries)
        {
            if (!_askAtMs.TryGetValue(entry.Key, out var at))
                _askAtMs.Add(entry.Key, state.Now.MonotonicMs + PatienceMs);
            else if (state.Now.MonotonicMs >= at)
                Ask(entry);
        }

        if (_askAtMs.Count > 2 * state.Record.Pins.Entries.Count)
        {
            var keys = state.Record.Pins.Entries.Select(entry => entry.Key).ToHashSet();
            foreach (var gone in _askAtMs.Keys.Where(key => !keys.Contains(key)).ToArray())
                _askAtMs.Remove(gone);
        }
    }

    /// <summary>True: it was a question about a pin.</summary>
    public bool Told(KinTold input)
    {
        if (input.Tell.Message is not IsPinned ask)
            return false;
        if (!_asked.Remove(ask, out var entry))
            return true;
        _askAtMs[entry.Key] = state.Now.MonotonicMs + PatienceMs;
        // Another pin may have taken its place meanwhile: the stamp tells.
        if (input.Outcome.IsOk)
            Enqueue(new(entry.Asker, entry.Stamp, entry.Layer, entry.Users.ToRanges()));
        else if (input.Outcome.Status == VmoStatus.NotFound)
            Enqueue(new(entry.Asker, entry.Stamp, entry.Layer, []));
        return true;
    }

    private void Ask(PinEntry entry)
    {
        _askAtMs[entry.Key] = long.MaxValue;
        var ask = new IsPinned(state.Record.Meta.Koid, entry.Layer, new(entry.Users.First, entry.Users.Count), entry.Stamp);
        _asked.Add(ask, entry);
        state.Effects.Add(new TellKin(entry.Asker, ask));
    }

    private void Enqueue(Unpin unpin) => queue.Enqueue(new KinChange(unpin, state.Now) { IsInternal = true }, _ => { });
}
