using System.Numerics;

namespace VmoCluster.Chaos.History;

/// <summary>
/// Looks for an order of one cell's calls that explains all they were answered. It goes along time and keeps every state that the cell can be in:
/// which of the calls under way have taken effect, and what each VMO of the family then holds. A call that has been answered must have taken
/// effect; a state in which it cannot is dropped. When none is left, no order explains the answer.
/// </summary>
/// <remarks>
/// A read that fits takes effect as soon as it is looked at: it changes nothing, so whatever order puts it later is as good with it here.
/// Of two states that hold the same, the one in which fewer of the calls that may never take effect have done so can do all the other can.
/// When no call is under way, all that is kept is what the cell may hold: a window is complete, and the next begins.
/// </remarks>
internal sealed class CellSearch(Family family, int cell, int optionalMax)
{
    private const int SlotsMax = 64;

    private readonly CellCall?[] _open = new CellCall?[SlotsMax];
    private readonly Queue<CellCall> _recent = new();
    private HashSet<(ulong Done, CellState State)> _states = [(0, CellState.Before(family))];
    private ulong _optional;

    /// <summary>States looked at: what the search costs.</summary>
    public long Visited { get; private set; }

    /// <summary>Quiescent points passed.</summary>
    public long Windows { get; private set; }

    /// <summary>What is wrong; null: nothing.</summary>
    public Finding? Run(IReadOnlyList<CellCall> calls)
    {
        var ends = calls.Where(call => !call.IsOptional).OrderBy(call => call.Ended).ToArray();
        var at = 0;
        foreach (var call in calls.OrderBy(call => call.Began))
        {
            // What ends at the very tick at which another begins may have been after it.
            for (; at < ends.Length && ends[at].Ended < call.Began; at++)
            {
                if (End(ends[at]) is { } wrong)
                    return wrong;
            }

            if (!TryBegin(call))
                return new(FindingKind.NotDecided, family.Root, cell, $"{BitOperations.PopCount(_optional)} calls without an answer may still take effect, {Open.Count()} calls are under way, {_states.Count} states");
        }

        for (; at < ends.Length; at++)
        {
            if (End(ends[at]) is { } wrong)
                return wrong;
        }

        return null;
    }

    private IEnumerable<CellCall> Open => _open.OfType<CellCall>();

    private bool TryBegin(CellCall call)
    {
        var slot = Array.IndexOf(_open, null);
        if (slot < 0 || (call.IsOptional && BitOperations.PopCount(_optional) == optionalMax))
            return false;
        _open[slot] = call;
        if (call.IsOptional)
            _optional |= 1ul << slot;
        return true;
    }

    private Finding? End(CellCall call)
    {
        var slot = Array.IndexOf(_open, call);
        var bit = 1ul << slot;
        var (next, seen) = (new HashSet<(ulong, CellState)>(), new HashSet<(ulong, CellState)>());
        foreach (var (done, state) in _states)
            Expand(done, state, bit, next, seen);
        if (next.Count == 0)
            return new(FindingKind.NotLinearizable, family.Root, cell, TaleOf(call));
        _open[slot] = null;
        _states = Undominated(next);
        if (Open.All(one => one.IsOptional))
            Windows++;
        _recent.Enqueue(call);
        if (_recent.Count > 12)
            _recent.Dequeue();
        return null;
    }

    // All states in which the call has taken effect.
    private void Expand(ulong done, CellState state, ulong wanted, HashSet<(ulong, CellState)> found, HashSet<(ulong, CellState)> seen)
    {
        for (var slot = 0; slot < SlotsMax; slot++)
        {
            if (_open[slot] is { Kind: HistoryKind.Read } read && (done >> slot & 1) == 0 && state.After(read) is not null)
                done |= 1ul << slot;
        }

        if (!seen.Add((done, state)))
            return;
        Visited++;
        if ((done & wanted) != 0)
        {
            // Nothing else has to happen before this answer; whatever may have is tried when it must.
            found.Add((done & ~wanted, state));
            return;
        }

        for (var slot = 0; slot < SlotsMax; slot++)
        {
            if (_open[slot] is { } call && call.Kind != HistoryKind.Read && (done >> slot & 1) == 0 && state.After(call) is { } after)
                Expand(done | 1ul << slot, after, wanted, found, seen);
        }
    }

    private HashSet<(ulong Done, CellState State)> Undominated(HashSet<(ulong Done, CellState State)> states)
    {
        if (_optional == 0)
            return states;
        var kept = new HashSet<(ulong, CellState)>();
        foreach (var same in states.GroupBy(one => (one.State, one.Done & ~_optional)))
        {
            var sets = same.Select(one => one.Done & _optional).OrderBy(BitOperations.PopCount).ToList();
            for (var i = 0; i < sets.Count; i++)
            {
                if (!sets.Take(i).Any(fewer => (fewer & ~sets[i]) == 0))
                    kept.Add((same.Key.Item2 | sets[i], same.Key.State));
            }
        }

        return kept;
    }

    private string TaleOf(CellCall call)
    {
        var shown = _states.Select(one => one.State.Shown(call.Vmo)?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "nothing").Distinct().Take(8);
        return string.Join("\n  ", [
            $"no order explains: {call}; before those under way VMO {call.Event.Vmo} showed {string.Join(" or ", shown)}",
            .. Open.Where(one => one != call).Select(one => $"under way: {one}"),
            .. _recent.Reverse().Select(one => $"ended before: {one}"),
        ]);
    }
}
