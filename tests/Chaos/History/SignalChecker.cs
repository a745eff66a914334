namespace VmoCluster.Chaos.History;

/// <summary>
/// P9, from outside: ZERO_CHILDREN is never set while a child lives, and set once the last is gone. A closed VMO counts as long as anything
/// made from it lives: a live clone keeps it as a ghost, a snapshot is handed to its nearest living ancestor. Either way an ancestor has a
/// child exactly while any of its descendants is held, so descendants are what is counted here.
/// </summary>
public static class SignalChecker
{
    /// <summary>Checks all looks of a run. Calls that touch at one tick count as concurrent.</summary>
    /// <param name="lateBy">
    /// Ticks for which the signal may stay clear after the last child has gone. semantics.md promises "very soon", not "before close answers".
    /// </param>
    /// <param name="bornWithin">
    /// Ticks after its caller gave up in which a call that was not answered has made its child, if ever. Then a look that begins later and shows the signal tells that the child has gone,
    /// as it tells of one whose close was not answered. Null: no look tells anything of another.
    /// </param>
    /// <exception cref="ArgumentException">A child is born twice.</exception>
    public static CheckedSignals Check(IEnumerable<ChildBirth> births, IEnumerable<ChildEnd> ends, IReadOnlyCollection<SignalSeen> looks, long lateBy = 0, long? bornWithin = null)
    {
        var children = ChildrenOf(births, ends, bornWithin);
        var findings = new List<SignalFinding>();
        var (judged, childless, open, latest) = (0L, 0L, 0L, 0L);
        foreach (var sameVmo in looks.GroupBy(look => look.Vmo))
        {
            var descendants = DescendantsOf(children, sameVmo.Key);
            var kin = new Kin(bornWithin is null ? descendants : GoneAsShown(descendants, sameVmo), lateBy);
            foreach (var look in sameVmo)
            {
                var (certain, possible) = (kin.CertainlyAlive(look), kin.PossiblyAlive(look));
                if (!look.IsSet && certain is null)
                    latest = Math.Max(latest, kin.LateAt(look));
                if (certain is null && possible is not null)
                {
                    open++;
                    continue;
                }

                judged++;
                childless += possible is null ? 1 : 0;
                if (look.IsSet && certain is not null)
                    findings.Add(new(SignalFindingKind.Early, look, $"ZERO_CHILDREN of VMO {look.Vmo} was set at [{look.Began}, {look.Ended}], when {certain} lived"));
                else if (!look.IsSet && possible is null)
                    findings.Add(new(SignalFindingKind.Missing, look, $"ZERO_CHILDREN of VMO {look.Vmo} was clear at [{look.Began}, {look.Ended}], when {kin.LastGoneBefore(look)?.ToString() ?? "no child"} had lived before and none since"));
            }
        }

        return new(findings, judged, childless, open, latest);
    }

    // By parent. A birth that was refused has made nothing; an end that was refused has ended nothing.
    private static ILookup<ulong, Child> ChildrenOf(IEnumerable<ChildBirth> births, IEnumerable<ChildEnd> ends, long? bornWithin)
    {
        var endsOf = ends.Where(end => end.Outcome != HistoryOutcome.Refused).ToLookup(end => end.Child);
        var named = new HashSet<ulong>();
        var children = new List<Child>();
        foreach (var birth in births.Where(birth => birth.Outcome != HistoryOutcome.Refused))
        {
            if (birth.Child != 0 && !named.Add(birth.Child))
                throw new ArgumentException($"VMO {birth.Child} is born twice");
            var itsEnds = birth.Child == 0 ? [] : endsOf[birth.Child];
            var endFrom = itsEnds.Select(end => end.Began).DefaultIfEmpty(long.MaxValue).Min();
            var endBy = itsEnds.Where(end => end.Outcome == HistoryOutcome.Ok).Select(end => end.Ended).DefaultIfEmpty(long.MaxValue).Min();
            children.Add(new(birth.Parent, birth.Child, birth.Began, birth.Outcome == HistoryOutcome.Ok ? birth.Ended : long.MaxValue, endFrom, endBy)
            {
                BornLast = birth.Outcome == HistoryOutcome.Ok ? birth.Ended : birth.Ended + (bornWithin ?? 0),
            });
        }

        return children.ToLookup(child => child.Parent);
    }

    // Of those that may live for ever as far as their callers know, some are gone as the signal tells: what was born, or was being closed, before a look that shows it had ended by that look's end.
    // One that lives for certain is not among them: there, the look is wrong.
    private static List<Child> GoneAsShown(List<Child> descendants, IEnumerable<SignalSeen> looks)
    {
        var shown = looks.Where(look => look.IsSet).OrderBy(look => look.Began).ToArray();
        var earliest = new long[shown.Length + 1];
        earliest[^1] = long.MaxValue;
        for (var i = shown.Length - 1; i >= 0; i--)
            earliest[i] = Math.Min(shown[i].Ended, earliest[i + 1]);
        return [.. descendants.Select(child => child.EndBy < long.MaxValue || child.IsAliveForGood ? child : child with { EndBy = earliest[FirstAfter(shown, child.MayBeGoneFrom)] })];
    }

    private static int FirstAfter(SignalSeen[] shown, long at)
    {
        var (low, high) = (0, shown.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (shown[middle].Began <= at)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private static List<Child> DescendantsOf(ILookup<ulong, Child> children, ulong vmo)
    {
        var found = new List<Child>(children[vmo]);
        for (var i = 0; i < found.Count; i++)
        {
            if (found[i].Vmo != 0)
                found.AddRange(children[found[i].Vmo]);
        }

        return found;
    }

    // It was alive at some time from BornFrom to EndBy at most, and from BornBy to EndFrom at least, if that is a time at all.
    private sealed record Child(ulong Parent, ulong Vmo, long BornFrom, long BornBy, long EndFrom, long EndBy)
    {
        // When it was born at the latest, if it was.
        public required long BornLast { get; init; }

        public bool IsAliveForGood => BornBy < long.MaxValue && EndFrom == long.MaxValue;

        public long MayBeGoneFrom => EndFrom == long.MaxValue ? BornLast : Math.Max(BornLast, EndFrom);

        public override string ToString() =>
            $"{(Vmo == 0 ? "a child nobody was told of" : $"VMO {Vmo}")} of {Parent} (born in [{BornFrom}, {Tick(BornBy)}], ended in [{Tick(EndFrom)}, {Tick(EndBy)}])";

        private static string Tick(long at) => at == long.MaxValue ? "open" : at.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    // Answers each look in the logarithm of the descendants: of those born early enough, the one that lasts longest.
    private sealed class Kin
    {
        private readonly (long Born, Child Longest)[] _certain;
        private readonly (long Born, Child Longest)[] _possible;
        private readonly List<Child> _all;
        private readonly long _lateBy;

        public Kin(List<Child> all, long lateBy)
        {
            (_all, _lateBy) = (all, lateBy);
            _certain = Longest(all, child => child.BornBy, child => child.EndFrom);
            _possible = Longest(all, child => child.BornFrom, child => child.EndBy);
        }

        public Child? CertainlyAlive(SignalSeen look) => BornBefore(_certain, look.Began) is { } child && child.EndFrom > look.Ended ? child : null;

        // One that may have been born at the last tick of the look, too.
        public Child? PossiblyAlive(SignalSeen look) => BornBefore(_possible, look.Ended + 1) is { } child && child.EndBy >= look.Began - _lateBy ? child : null;

        // How long before a look the last child had gone that may have been there at all; 0 if one may still be there.
        public long LateAt(SignalSeen look) => BornBefore(_possible, look.Ended + 1) is { } child && child.EndBy < look.Began ? look.Began - child.EndBy : 0;

        public Child? LastGoneBefore(SignalSeen look) => _all.Where(child => child.EndBy < look.Began).MaxBy(child => child.EndBy);

        private static (long, Child)[] Longest(List<Child> all, Func<Child, long> born, Func<Child, long> end)
        {
            var sorted = all.Select(child => (Born: born(child), Longest: child)).OrderBy(pair => pair.Born).ToArray();
            for (var i = 1; i < sorted.Length; i++)
            {
                if (end(sorted[i - 1].Longest) > end(sorted[i].Longest))
                    sorted[i].Longest = sorted[i - 1].Longest;
            }

            return sorted;
        }

        private static Child? BornBefore((long Born, Child Longest)[] sorted, long at)
        {
            var (low, high) = (0, sorted.Length);
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (sorted[middle].Born < at)
                    low = middle + 1;
                else
                    high = middle;
            }

            return low == 0 ? null : sorted[low - 1].Longest;
        }
    }
}
