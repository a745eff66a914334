namespace VmoCluster.Chaos.History;

/// <summary>What the check of a history found.</summary>
/// <param name="Findings">At most one for each cell of a family that no order explains, and one for each read that is wrong by itself.</param>
public sealed record CheckedHistory(IReadOnlyList<Finding> Findings, int Cells, long Calls, long Windows, long Visited)
{
    public override string ToString() => $"{Findings.Count} findings; {Calls:N0} calls on {Cells:N0} cells, {Windows:N0} windows, {Visited:N0} states visited";
}

/// <summary>
/// P2, from outside: every call took effect at one instant between its beginning and its end, page by page, where a live clone's page is its ancestor's until it
/// has its own. Each cell is checked by itself; that a snapshot has one instant for all of them is <see cref="SnapshotChecker"/>'s.
/// </summary>
public static class LinearizabilityChecker
{
    /// <summary>Checks all events of a run, in whatever order.</summary>
    /// <param name="events">All of them: what showed a value is looked for among them.</param>
    /// <param name="optionalMax">Calls without an answer, for one cell, that may still take effect; more are not decided.</param>
    public static CheckedHistory Check(IReadOnlyList<HistoryEvent> events, int optionalMax = 10)
    {
        var families = Family.Of(events);
        var byCell = events.Where(one => one.Kind is HistoryKind.Read or HistoryKind.Write or HistoryKind.Zero or HistoryKind.Decommit)
            .GroupBy(one => (Family: families[one.Vmo], one.Cell)).ToArray();
        var findings = new List<Finding>();
        var (calls, windows, visited) = (0L, 0L, 0L);
        foreach (var group in byCell)
        {
            var (family, cell) = group.Key;
            findings.AddRange(group.Select(one => WrongByItself(family.Root, one)).OfType<Finding>());
            var cellCalls = CallsOf(family, [.. group], findings);
            var search = new CellSearch(family, cell, optionalMax);
            if (search.Run(cellCalls) is { } wrong)
                findings.Add(wrong);
            (calls, windows, visited) = (calls + cellCalls.Count, windows + search.Windows, visited + search.Visited);
        }

        return new(findings, byCell.Length, calls, windows, visited);
    }

    /// <summary>What is wrong with single reads alone: pages of one cell that differ. All that can be said where the store itself has lost calls.</summary>
    public static CheckedHistory Torn(IReadOnlyList<HistoryEvent> events)
    {
        var reads = events.Where(one => one.Kind == HistoryKind.Read).ToList();
        var findings = reads.Select(one => WrongByItself(one.Vmo, one)).OfType<Finding>().ToList();
        return new(findings, reads.Select(one => (one.Vmo, one.Cell)).Distinct().Count(), reads.Count, 0, 0);
    }

    private static Finding? WrongByItself(ulong root, HistoryEvent one) =>
        one is { Kind: HistoryKind.Read, Outcome: HistoryOutcome.Ok } && one.Shown.Distinct().Count() != 1
            ? new(FindingKind.Torn, root, one.Cell, $"VMO {one.Vmo} showed {string.Join(' ', one.Shown)} to caller {one.Caller} at [{one.Began}, {one.Ended}]")
            : null;

    private static List<CellCall> CallsOf(Family family, HistoryEvent[] events, List<Finding> findings)
    {
        var calls = new List<CellCall>();
        foreach (var birth in family.Births)
            calls.Add(new(birth.Kind, family.NumberOf(birth.Vmo), birth.Child == 0 ? 0 : family.NumberOf(birth.Child), 0, birth.Began, birth.Ended, birth));
        var writes = events.Where(one => one.Kind == HistoryKind.Write).ToDictionary(one => one.Value);
        var firstShown = new Dictionary<ulong, long>();
        foreach (var read in events.Where(one => one is { Kind: HistoryKind.Read, Outcome: HistoryOutcome.Ok }))
        {
            foreach (var value in read.Shown.Distinct().Where(value => value != 0))
            {
                firstShown[value] = Math.Min(read.Ended, firstShown.GetValueOrDefault(value, long.MaxValue));
                if (!writes.TryGetValue(value, out var write))
                    findings.Add(new(FindingKind.Invented, family.Root, read.Cell, $"VMO {read.Vmo} showed {value} at [{read.Began}, {read.Ended}], which nobody wrote there"));
                else if (write.Outcome == HistoryOutcome.Refused)
                    findings.Add(new(FindingKind.RefusedShown, family.Root, read.Cell, $"VMO {read.Vmo} showed {value} at [{read.Began}, {read.Ended}]; its write was refused at {write.Ended}"));
            }
        }

        foreach (var one in events)
        {
            // A read that is torn, or shows what cannot be, is told already: the others are to be explained without it.
            if (one.Outcome == HistoryOutcome.Refused || (one.Kind == HistoryKind.Read && (one.Outcome != HistoryOutcome.Ok || !IsWhole(one, writes))))
                continue;
            if (EndOf(one, firstShown) is { } ended)
                calls.Add(new(one.Kind, family.NumberOf(one.Vmo), 0, one.Kind == HistoryKind.Read ? one.Shown[0] : one.Value, one.Began, ended, one));
        }

        return calls;
    }

    private static bool IsWhole(HistoryEvent read, Dictionary<ulong, HistoryEvent> writes) =>
        read.Shown.Distinct().Count() == 1 && (read.Shown[0] == 0 || (writes.TryGetValue(read.Shown[0], out var write) && write.Outcome != HistoryOutcome.Refused));

    // When the call had taken effect at the latest; null: it may be left out.
    // A write that was not answered, and whose value anybody in the family has shown, has taken effect before that read ended: nobody else writes
    // the value, and no read shows what is yet to be written, be it through a clone or a snapshot. One whose value nobody shows may as well never
    // have taken effect: leave it out of any order that explains the reads, and each of them shows what it showed, or the value would have been
    // shown; only that what it overwrote lasts longer there, which no read saw either way.
    private static long? EndOf(HistoryEvent one, Dictionary<ulong, long> firstShown)
    {
        if (one.Outcome == HistoryOutcome.Ok)
            return one.Ended;
        if (one.Kind == HistoryKind.Write)
            return firstShown.TryGetValue(one.Value, out var shown) ? Math.Max(shown, one.Began) : null;
        return long.MaxValue;
    }
}
