namespace VmoCluster.Core.Contents;

/// <summary>What the runs of a layer say together. Those that do not clear are disjoint.</summary>
public static class Runs
{
    /// <summary>The run that speaks for a page that has no slot; null for none.</summary>
    public static RunKind? Lying(IReadOnlyList<Run> runs, ulong page)
    {
        for (var i = 0; i < runs.Count; i++)
        {
            if (!runs[i].IsClearing && runs[i].Range.Contains(new(page)))
                return runs[i].Kind;
        }

        return null;
    }

    /// <summary>Whether a clearing run has killed a slot of this version.</summary>
    public static bool IsDead(IReadOnlyList<Run> runs, ulong page, ulong version)
    {
        for (var i = 0; i < runs.Count; i++)
        {
            if (runs[i].IsClearing && runs[i].Version > version && runs[i].Range.Contains(new(page)))
                return true;
        }

        return false;
    }

    /// <summary>A leaf just read, without the slots that a clearing run has killed. It is changed in place.</summary>
    public static Leaf Clean(IReadOnlyList<Run> runs, ulong number, Leaf leaf)
    {
        for (var i = 0; i < Limits.LeafPages; i++)
        {
            if (!leaf[i].IsAbsent && IsDead(runs, (number * Limits.LeafPages) + (ulong)i, leaf[i].Version))
                leaf[i] = default;
        }

        return leaf;
    }

    /// <summary>Without what lies under a range; clearing runs stay.</summary>
    public static List<Run> Without(IReadOnlyList<Run> runs, PageRange range)
    {
        var rest = new List<Run>();
        foreach (var run in runs)
        {
            if (run.IsClearing || !run.Range.Overlaps(range))
            {
                rest.Add(run);
                continue;
            }

            if (run.Range.First < range.First)
                rest.Add(run with { Range = new(run.Range.First, range.First.Value - run.Range.First.Value) });
            if (run.Range.End > range.End)
                rest.Add(run with { Range = new(range.End, run.Range.End.Value - range.End.Value) });
        }

        return rest;
    }

    /// <summary>The runs of a layer and, where none of them lies, those of the layer under it, below a page; of one kind and side by side, they are one.</summary>
    public static List<Run> Under(IReadOnlyList<Run> upper, IEnumerable<Run> lower, ulong end, ulong version)
    {
        var open = lower.Where(run => run.Range.First.Value < end)
            .Select(run => run with { Range = new(run.Range.First, Math.Min(run.Range.End.Value, end) - run.Range.First.Value), Version = version })
            .ToList();
        foreach (var run in upper)
        {
            if (!run.IsClearing)
                open = Without(open, run.Range);
        }

        var all = upper.ToList();
        foreach (var run in open)
        {
            var at = all.FindIndex(other => other.Kind == run.Kind && (other.Range.End == run.Range.First || run.Range.End == other.Range.First));
            if (at < 0)
            {
                all.Add(run);
                continue;
            }

            var first = Math.Min(all[at].Range.First.Value, run.Range.First.Value);
            all[at] = run with { Range = new(new(first), all[at].Range.Count + run.Range.Count) };
        }

        return all;
    }
}
