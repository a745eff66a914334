using VmoCluster.Core.Contents;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>LOOKUP: the pages that are present in a range, as stretches (semantics, rulings: absent pages are skipped).</summary>
internal static class Lookup
{
    /// <summary>The stretches, and where to ask on (0: complete). All leaves of the range are known.</summary>
    public static (LookupRun[] Runs, ulong Next) Find(LayerHead layer, Koid owner, ByteRange range)
    {
        var pages = PageRange.Covering(range);
        var found = new Found();
        var runs = layer.Map.Runs.Where(run => run.IsCommitted && run.Range.Overlaps(pages)).OrderBy(run => run.Range.First).ToList();
        var cursor = pages.First.Value;
        foreach (var (number, leaf) in layer.Map.LeavesIn(pages))
        {
            if (found.Runs.Count >= Limits.LookupRunsMax - Limits.LeafPages)
                return ([.. found.Runs], cursor * Limits.PageBytes);
            var first = Math.Max(number * Limits.LeafPages, pages.First.Value);
            var end = Math.Min((number + 1) * Limits.LeafPages, pages.End.Value);
            AddCovered(cursor, first);
            for (var page = first; page < end; page++)
            {
                var slot = leaf[Leaf.IndexOf(page)];
                if (slot.State is SlotState.Data or SlotState.Zero)
                    Add(page, 1, !slot.IsStored);
                else if (slot.IsAbsent)
                    AddCovered(page, page + 1);
            }

            cursor = end;
        }

        AddCovered(cursor, pages.End.Value);
        return ([.. found.Runs], 0);

        void AddCovered(ulong from, ulong to)
        {
            foreach (var run in runs)
            {
                var part = run.Range.Intersect(new(new(from), to - from));
                if (!part.IsEmpty)
                    Add(part.First.Value, part.Count, isZero: true);
            }
        }

        void Add(ulong page, ulong count, bool isZero) => found.Add(page, count, isZero, owner);
    }

    /// <summary>
    /// The same through all that lies below, page by page; everything that decides the range is in memory. What was an ancestor's that is closed and
    /// gone is shown as the parent's.
    /// </summary>
    public static (LookupRun[] Runs, ulong Next) FindThrough(Sight sight, Koid parent, ByteRange range)
    {
        var pages = PageRange.Covering(range);
        var found = new Found();
        for (var page = pages.First.Value; page < pages.End.Value; page++)
        {
            if (found.Runs.Count == Limits.LookupRunsMax)
                return ([.. found.Runs], page * Limits.PageBytes);
            var shown = sight.See(page);
            if (!shown.IsNothing)
                found.Add(page, 1, !shown.IsStored, shown.Layer.IsAbsorbed ? parent : shown.Layer.Home);
        }

        return ([.. found.Runs], 0);
    }

    private sealed class Found
    {
        public List<LookupRun> Runs { get; } = [];

        public void Add(ulong page, ulong count, bool isZero, Koid owner)
        {
            var bytes = new ByteRange(page * Limits.PageBytes, count * Limits.PageBytes);
            if (Runs.Count > 0 && Runs[^1] is var last && last.IsZero == isZero && last.Owner == owner && last.Range.End == bytes.Offset)
                Runs[^1] = last with { Range = last.Range with { Length = last.Range.Length + bytes.Length } };
            else
                Runs.Add(new(bytes, isZero, owner));
        }
    }
}
