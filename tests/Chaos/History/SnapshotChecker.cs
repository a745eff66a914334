namespace VmoCluster.Chaos.History;

/// <summary>
/// P2, from outside: a snapshot shows all cells as they were at one instant of its call. Each value that it shows bounds that instant: it lies after the value's
/// write began, and before what certainly removed or hid the value had been answered. What bounds it not surely is left out, so a finding is
/// never a doubt; whether each cell by itself can be explained is <see cref="LinearizabilityChecker"/>'s question.
/// </summary>
public static class SnapshotChecker
{
    /// <summary>Checks all snapshots of a run.</summary>
    public static CheckedSnapshots Check(IReadOnlyList<HistoryEvent> events)
    {
        var births = events.Where(one => Family.IsBirth(one) && one.Child != 0).ToDictionary(one => one.Child);
        var writes = events.Where(one => one.Kind == HistoryKind.Write).ToDictionary(one => one.Value);
        var changes = events.Where(one => one.Kind is HistoryKind.Write or HistoryKind.Zero or HistoryKind.Decommit && one.Outcome != HistoryOutcome.Refused)
            .GroupBy(one => (one.Vmo, one.Cell)).ToDictionary(group => group.Key, group => group.OrderBy(one => one.Ended).ToArray());
        var reads = events.Where(one => one is { Kind: HistoryKind.Read, Outcome: HistoryOutcome.Ok } && one.Shown.Distinct().Count() == 1)
            .ToLookup(one => one.Vmo);
        var findings = new List<SnapshotFinding>();
        var (judged, met) = (0L, 0L);
        foreach (var birth in births.Values.Where(birth => birth.Kind == HistoryKind.CloneSnapshot))
        {
            var bounds = new Bounds(birth);
            foreach (var value in reads[birth.Child].Select(read => read.Shown[0]).Distinct())
            {
                // A zero has no write to tell where it comes from, and what was written to the snapshot itself says nothing of its source.
                if (writes.TryGetValue(value, out var write) && write.Vmo != birth.Child)
                    bounds.Show(write, births, changes);
            }

            if (bounds.Cells < 2)
                continue;
            judged++;
            met += bounds.IsMet ? 1 : 0;
            if (bounds.Tale is { } tale)
                findings.Add(new(birth.Child, tale));
        }

        return new(findings, judged, met);
    }

    // From when to when the one instant can be, and what says so.
    private sealed class Bounds(HistoryEvent birth)
    {
        private (long At, HistoryEvent By) _from = (birth.Began, birth);
        private (long At, HistoryEvent By) _until = (birth.Ended, birth);

        public int Cells { get; private set; }

        public bool IsMet => _from.By != birth || _until.By != birth;

        // Ticks that touch are doubt.
        public string? Tale => _from.At <= _until.At ? null
            : $"snapshot {birth.Child} of VMO {birth.Vmo}, made in [{birth.Began}, {birth.Ended}], shows what was not there before {_from.At} ({Name(_from.By)}) and what was gone at {_until.At} ({Name(_until.By)})";

        public void Show(HistoryEvent write, Dictionary<ulong, HistoryEvent> births, Dictionary<(ulong Vmo, int Cell), HistoryEvent[]> changes)
        {
            Cells++;
            if (write.Began > _from.At)
                _from = (write.Began, write);

            // From the source up to the VMO that was written, through live clones alone: what a snapshot between them keeps outlives what is done above it.
            for (var vmo = birth.Vmo; ; vmo = births[vmo].Vmo)
            {
                if (vmo == write.Vmo)
                {
                    if (write.Outcome == HistoryOutcome.Ok)
                        End(ChangesOf(vmo).FirstOrDefault(one => one.Outcome == HistoryOutcome.Ok && one.Began > write.Ended));
                    return;
                }

                if (!births.TryGetValue(vmo, out var made) || made.Kind != HistoryKind.CloneLive)
                    return;

                // A page of its own hides what is above, unless it was decommitted at some time.
                if (ChangesOf(vmo).All(one => one.Kind != HistoryKind.Decommit))
                    End(ChangesOf(vmo).FirstOrDefault(one => one.Outcome == HistoryOutcome.Ok));
            }

            HistoryEvent[] ChangesOf(ulong vmo) => changes.GetValueOrDefault((vmo, write.Cell), []);
        }

        private void End(HistoryEvent? change)
        {
            if (change is not null && change.Ended < _until.At)
                _until = (change.Ended, change);
        }

        private static string Name(HistoryEvent one) => $"{one.Kind} {one.Value} to cell {one.Cell} of {one.Vmo} [{one.Began}, {one.Ended}]";
    }
}
