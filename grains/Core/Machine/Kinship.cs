using VmoCluster.Core.Record;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// What the family tells this VMO. It becomes durable as a change of the record and is acknowledged then. A closed snapshot that still has
/// children has handed them to its parent: what they tell is told there first, so that the parent's set always contains the living and loses
/// the dead.
/// </summary>
internal sealed class Kinship(MachineState state, ChangeQueue queue, Destruction destruction, PinDesk pins, Collapse collapse)
{
    // What came before the parent had taken the children: told earlier, it might be undone by that.
    private readonly List<(Ticket Ticket, KinMessage Message)> _held = [];
    private readonly Dictionary<KinMessage, List<Ticket>> _handedOn = [];

    public void Hear(Ticket ticket, KinMessage message)
    {
        if (message is IsPinned ask)
        {
            state.Effects.Add(new Answer(ticket, new VmoReply { Outcome = pins.Answer(ask) }, FromMemory: true));
            return;
        }

        if (message is Alone alone)
        {
            collapse.Offer(new(alone.Home, alone.Layer));
            state.Effects.Add(new Answer(ticket, new VmoReply(), FromMemory: true));
            return;
        }

        if (message is Rehome && state.Record is { State: VmoState.Dying, Meta.Parent: { IsNone: false } parent })
        {
            if (!destruction.IsParentTold)
            {
                _held.Add((ticket, message));
                return;
            }

            if (_handedOn.TryGetValue(message, out var waiting))
            {
                waiting.Add(ticket);
                return;
            }

            _handedOn.Add(message, [ticket]);
            state.Effects.Add(new TellKin(parent, message));
            return;
        }

        Enqueue([ticket], message);
    }

    /// <summary>The parent may have taken the children.</summary>
    public void Resume()
    {
        if (_held.Count == 0 || !destruction.IsParentTold)
            return;
        var held = _held.ToArray();
        _held.Clear();
        foreach (var (ticket, message) in held)
            Hear(ticket, message);
    }

    /// <summary>True: it was something handed on.</summary>
    public bool Told(KinTold input)
    {
        if (!_handedOn.Remove(input.Tell.Message, out var waiting))
            return false;
        if (input.Outcome.IsOk)
        {
            Enqueue(waiting, input.Tell.Message);
            return true;
        }

        foreach (var ticket in waiting)
            state.Effects.Add(new Answer(ticket, new VmoReply { Outcome = input.Outcome }, FromMemory: false));
        return true;
    }

    public void EndAll(Outcome outcome)
    {
        foreach (var ticket in _handedOn.Values.SelectMany(waiting => waiting).Concat(_held.Select(held => held.Ticket)))
            state.Effects.Add(new Answer(ticket, new VmoReply { Outcome = outcome }, FromMemory: false));
        _handedOn.Clear();
        _held.Clear();
    }

    private void Enqueue(List<Ticket> tickets, KinMessage message) =>
        queue.Enqueue(new KinChange(message, state.Now) { IsInternal = true }, change => tickets.ForEach(change.AddWaiter));
}
