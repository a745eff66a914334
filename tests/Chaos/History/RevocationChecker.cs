namespace VmoCluster.Chaos.History;

/// <summary>
/// P8, from outside: what begins after a handle's close, or a revoke of it or of any handle it derives from, has been answered is never accepted.
/// </summary>
public static class RevocationChecker
{
    /// <summary>Checks all uses of a run; a derivation is a use of its source.</summary>
    /// <param name="shown">Values that reads have shown.</param>
    /// <exception cref="ArgumentException">A handle is derived twice, or from itself.</exception>
    public static CheckedHandles Check(IReadOnlyCollection<HandleBirth> births, IEnumerable<HandleUse> uses, IEnumerable<HandleEnd> ends, IReadOnlySet<ulong>? shown = null)
    {
        var sources = new Dictionary<ulong, ulong>();
        foreach (var birth in births.Where(birth => birth.Outcome == HistoryOutcome.Ok))
        {
            if (!sources.TryAdd(birth.Handle, birth.Source))
                throw new ArgumentException($"handle {birth.Handle} is derived twice");
        }

        var (closes, revokes) = (new Dictionary<ulong, HandleEnd>(), new Dictionary<ulong, HandleEnd>());
        foreach (var end in ends.Where(end => end.Outcome == HistoryOutcome.Ok))
        {
            var known = end.Kind == HandleEndKind.Close ? closes : revokes;
            known[end.Handle] = Earlier(end, known.GetValueOrDefault(end.Handle))!;
        }

        var gone = new Dictionary<ulong, HandleEnd?>();
        var findings = new List<HandleFinding>();
        var (judged, closed) = (0L, 0L);
        foreach (var use in uses.Concat(births.Select(birth => new HandleUse(birth.Source, birth.Began, birth.Ended, birth.Outcome))))
        {
            if (!gone.TryGetValue(use.Handle, out var end))
                gone.Add(use.Handle, end = Earlier(closes.GetValueOrDefault(use.Handle), RevokeOf(use.Handle, sources, revokes)));
            var isAccepted = use.Outcome == HistoryOutcome.Ok || (use.Value != 0 && shown?.Contains(use.Value) == true);
            if (end is null || use.Began <= end.Ended || (use.Outcome == HistoryOutcome.Unknown && !isAccepted))
                continue;
            judged++;
            closed += end.Kind == HandleEndKind.Close ? 1 : 0;
            if (isAccepted)
                findings.Add(new(use, end, $"a call through handle {use.Handle} at [{use.Began}, {use.Ended}] was accepted; {end.Kind} of {end.Handle} was answered at {end.Ended}"));
        }

        return new(findings, judged, closed);
    }

    // The earliest revoke of the handle or of what it derives from. Closed handles between do not matter: derivation outlives them.
    private static HandleEnd? RevokeOf(ulong handle, Dictionary<ulong, ulong> sources, Dictionary<ulong, HandleEnd> revokes)
    {
        var earliest = revokes.GetValueOrDefault(handle);
        var at = handle;
        for (var steps = 0; sources.TryGetValue(at, out at); steps++)
        {
            if (steps > sources.Count)
                throw new ArgumentException($"handle {handle} is derived from itself");
            earliest = Earlier(earliest, revokes.GetValueOrDefault(at));
        }

        return earliest;
    }

    private static HandleEnd? Earlier(HandleEnd? one, HandleEnd? other) => other is null || one?.Ended <= other.Ended ? one : other;
}
