using VmoCluster.Chaos.History;

namespace VmoCluster.Chaos.Tests.History;

/// <summary>Tries every order of a few calls on one cell: slow and plain.</summary>
internal static class Brute
{
    /// <summary>Whether some order of the calls, each within its time, explains all that was read. Calls without an answer may be left out.</summary>
    public static bool Explains(IReadOnlyList<HistoryEvent> events) =>
        Tries([.. events.Where(one => one.Outcome == HistoryOutcome.Ok || (one.Outcome == HistoryOutcome.Unknown && one.Kind != HistoryKind.Read))], []);

    private static bool Tries(List<HistoryEvent> left, List<HistoryEvent> order)
    {
        if (left.All(one => one.Outcome == HistoryOutcome.Unknown))
            return Fits(order);
        foreach (var next in left)
        {
            // Nothing that has ended before it began is still to come.
            if (left.Any(other => other != next && other.Outcome == HistoryOutcome.Ok && other.Ended < next.Began))
                continue;
            if (Tries([.. left.Where(one => one != next)], [.. order, next]))
                return true;
        }

        return false;
    }

    private static bool Fits(List<HistoryEvent> order)
    {
        var (own, parents, captured) = (new Dictionary<ulong, ulong>(), new Dictionary<ulong, ulong>(), new Dictionary<ulong, ulong>());
        var born = new HashSet<ulong>();
        foreach (var one in order)
        {
            if (one.Kind != HistoryKind.Create && !born.Contains(one.Vmo))
                return false;
            switch (one.Kind)
            {
                case HistoryKind.Create:
                    born.Add(one.Vmo);
                    break;
                case HistoryKind.CloneLive:
                    born.Add(one.Child);
                    parents[one.Child] = one.Vmo;
                    break;
                case HistoryKind.CloneSnapshot:
                    born.Add(one.Child);
                    captured[one.Child] = Show(one.Vmo);
                    break;
                case HistoryKind.Write:
                    own[one.Vmo] = one.Value;
                    break;
                case HistoryKind.Zero:
                    own[one.Vmo] = 0;
                    break;
                case HistoryKind.Decommit:
                    own.Remove(one.Vmo);
                    break;
                case HistoryKind.Read when one.Shown.Any(shown => shown != Show(one.Vmo)):
                    return false;
            }
        }

        return true;

        ulong Show(ulong vmo) => own.TryGetValue(vmo, out var slot) ? slot
            : captured.TryGetValue(vmo, out var then) ? then
            : parents.TryGetValue(vmo, out var parent) ? Show(parent) : 0;
    }
}
