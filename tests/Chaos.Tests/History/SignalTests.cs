using VmoCluster.Chaos.History;

namespace VmoCluster.Chaos.Tests.History;

/// <summary>Looks at ZERO_CHILDREN that are wrong on purpose, right ones that look wrong, and by seed against a count of who lives when.</summary>
public sealed class SignalTests
{
    private const HistoryOutcome Ok = HistoryOutcome.Ok;
    private const HistoryOutcome Unknown = HistoryOutcome.Unknown;
    private const HistoryOutcome Refused = HistoryOutcome.Refused;

    private static readonly int Iterations = int.TryParse(Environment.GetEnvironmentVariable("VMO_ITERATIONS"), out var iterations) ? iterations : 4000;

    [Fact]
    public void Set_over_a_living_child() => Wrong(SignalFindingKind.Early, [new(1, 2, 0, 10, Ok)], [], set: true, 11, 12);

    [Fact]
    public void Set_over_a_child_whose_close_begins_later() => Wrong(SignalFindingKind.Early, [new(1, 2, 0, 10, Ok)], [new(2, 20, 30, Ok)], set: true, 11, 19);

    [Fact]
    public void Set_over_a_child_whose_close_was_refused() => Wrong(SignalFindingKind.Early, [new(1, 2, 0, 10, Ok)], [new(2, 11, 12, Refused)], set: true, 13, 14);

    [Fact]
    public void Set_over_the_living_child_of_a_closed_one() =>
        Wrong(SignalFindingKind.Early, [new(1, 2, 0, 1, Ok), new(2, 3, 2, 3, Ok), new(3, 4, 4, 5, Ok)], [new(2, 6, 7, Ok), new(3, 6, 7, Ok)], set: true, 8, 9);

    [Fact]
    public void Clear_before_any_child() => Wrong(SignalFindingKind.Missing, [new(1, 2, 10, 20, Ok)], [], set: false, 5, 9);

    [Fact]
    public void Clear_after_the_last_child_has_gone() => Wrong(SignalFindingKind.Missing, [new(1, 2, 0, 1, Ok)], [new(2, 2, 3, Ok)], set: false, 4, 5);

    [Fact]
    public void Clear_after_a_clone_that_was_refused() => Wrong(SignalFindingKind.Missing, [new(1, 2, 0, 1, Refused)], [], set: false, 2, 3);

    [Fact]
    public void Clear_longer_than_it_may() => Wrong(SignalFindingKind.Missing, [new(1, 2, 0, 1, Ok)], [new(2, 2, 3, Ok)], set: false, 9, 10, lateBy: 5);

    [Fact]
    public void Clear_for_a_while_after_the_last_child_where_that_is_allowed() => Right([new(1, 2, 0, 1, Ok)], [new(2, 2, 3, Ok)], 8, 10, lateBy: 5);

    [Fact]
    public void How_long_it_was_clear_without_a_child_is_told_also_where_it_is_allowed()
    {
        var found = SignalChecker.Check(
            [new(1, 2, 0, 1, Ok), new(9, 8, 0, 1, Ok)], [new(2, 2, 3, Ok), new(8, 2, 3, Ok)], [new(1, 7, 8, IsSet: false), new(1, 9, 10, IsSet: true), new(9, 2, 3, IsSet: false), new(1, 1, 2, IsSet: false)], lateBy: 5);
        Assert.Empty(found.Findings);
        Assert.Equal(4, found.Latest);
    }

    [Fact]
    public void Anything_while_a_child_is_being_made() => Right([new(1, 2, 0, 10, Ok)], [], 5, 20);

    [Fact]
    public void Anything_while_the_last_is_being_closed() => Right([new(1, 2, 0, 1, Ok)], [new(2, 5, 10, Ok)], 3, 5);

    [Fact]
    public void Anything_after_a_close_without_an_answer() => Right([new(1, 2, 0, 1, Ok)], [new(2, 5, 10, Unknown)], 100, 101);

    [Fact]
    public void Anything_after_a_clone_without_an_answer() => Right([new(1, 0, 0, 1, Unknown)], [], 100, 101);

    // A look that shows the signal after the last tick at which the child can have been born tells that it has gone, or never was.
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Clear_again_after_it_was_set_over_what_a_clone_or_a_close_without_an_answer_may_have_left(bool isClose, bool isOfGrandchild)
    {
        List<ChildBirth> births = isClose ? [new(isOfGrandchild ? 3ul : 1, 2, 0, 1, Ok)] : [new(1, 0, 0, 1, Unknown)];
        List<ChildEnd> ends = isClose ? [new(2, 5, 10, Unknown)] : [];
        if (isOfGrandchild)
        {
            births.Add(new(1, 3, -2, -1, Ok));
            ends.Add(new(3, 2, 3, Ok));
        }

        var (set, clear) = (new SignalSeen(1, 60, 65, IsSet: true), new SignalSeen(1, 100, 101, IsSet: false));
        Assert.Empty(SignalChecker.Check(births, ends, [set, clear]).Findings);
        var found = SignalChecker.Check(births, ends, [set, clear, clear with { Vmo = 9 }], lateBy: 20, bornWithin: 50);
        Assert.Equal(2, found.Findings.Count);
        Assert.Same(clear, Assert.Single(found.Findings, finding => finding.Seen.Vmo == 1).Seen);
        Assert.Empty(SignalChecker.Check(births, ends, [set, clear], lateBy: 40, bornWithin: 50).Findings);
        Assert.Equal((1, 1, 1), CountsOf(SignalChecker.Check(births, ends, [set, clear with { IsSet = true }], lateBy: 20, bornWithin: 50)));
    }

    // 51 ticks after its caller has given up the clone may still be born.
    [Fact]
    public void A_look_that_shows_it_before_the_child_can_have_been_born_tells_nothing() =>
        Assert.Equal((0, 0, 2), CountsOf(SignalChecker.Check([new(1, 0, 0, 1, Unknown)], [], [new(1, 51, 52, IsSet: true), new(1, 100, 101, IsSet: false)], bornWithin: 50)));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_look_that_shows_it_over_a_living_child_is_wrong_and_tells_nothing(bool isClosedLater)
    {
        ChildEnd[] ends = isClosedLater ? [new(2, 20, 21, Unknown)] : [];
        var found = SignalChecker.Check([new(1, 2, 0, 1, Ok)], ends, [new(1, 5, 6, IsSet: true), new(1, 100, 101, IsSet: false)], bornWithin: 50);
        Assert.Equal(SignalFindingKind.Early, Assert.Single(found.Findings).Kind);
    }

    [Fact]
    public void A_sibling_or_a_child_of_another_does_not_count() => Wrong(SignalFindingKind.Missing, [new(9, 1, 0, 1, Ok), new(9, 2, 0, 1, Ok)], [], set: false, 5, 6);

    [Fact]
    public void Whoever_lives_at_every_instant_of_a_look_or_at_none_decides_it()
    {
        var (early, missing, judged) = (0, 0, 0L);
        for (var seed = 0; seed < Iterations; seed++)
        {
            var random = new Random(seed);
            var (births, ends) = Any(random);
            var looks = Enumerable.Range(0, 6).Select(_ => Look(random)).ToList();
            var found = SignalChecker.Check(births, ends, looks);
            foreach (var look in looks)
            {
                var expected = Expected(births, ends, look);
                var kinds = found.Findings.Where(finding => ReferenceEquals(finding.Seen, look)).Select(finding => (SignalFindingKind?)finding.Kind).ToList();
                Assert.True(kinds.Count <= 1 && kinds.SingleOrDefault() == expected, $"seed {seed}: {look}: the checker says {string.Join(", ", kinds)}, who lives says {expected}; {string.Join(", ", births)}; {string.Join(", ", ends)}");
                early += expected == SignalFindingKind.Early ? 1 : 0;
                missing += expected == SignalFindingKind.Missing ? 1 : 0;
            }

            judged += found.Judged;
        }

        Assert.True(early > Iterations / 20 && missing > Iterations / 20 && judged > Iterations, $"{early} early, {missing} missing, {judged} judged: too few to mean anything");
    }

    private static (long Judged, long Childless, long Open) CountsOf(CheckedSignals found)
    {
        Assert.Empty(found.Findings);
        return (found.Judged, found.Childless, found.Open);
    }

    private static SignalSeen Look(Random random)
    {
        var began = random.Next(60);
        return new(1, began, began + random.Next(6), random.Next(2) == 0);
    }

    // A tree below VMO 1, each member held from its birth; calls of some length and any outcome.
    private static (List<ChildBirth> Births, List<ChildEnd> Ends) Any(Random random)
    {
        var (births, ends) = (new List<ChildBirth>(), new List<ChildEnd>());
        for (var child = 2ul; child < 2 + (ulong)random.Next(1, 5); child++)
        {
            var began = births.Count == 0 ? random.Next(20) : random.Next(40);
            var parent = (ulong)random.Next(1, (int)child);
            var ended = began + random.Next(8);
            births.Add(new(parent, child, began, ended, (HistoryOutcome)random.Next(3)));
            if (random.Next(4) != 0)
                ends.Add(new(child, ended + 1 + random.Next(12), ended + 14 + random.Next(12), (HistoryOutcome)random.Next(3)));
        }

        return (births, ends);
    }

    // Plainly: every choice of instants is tried by tick. A descendant lives from one of its possible births to one of its possible ends.
    private static SignalFindingKind? Expected(List<ChildBirth> births, List<ChildEnd> ends, SignalSeen look)
    {
        var (always, never) = (false, true);
        foreach (var birth in births.Where(birth => birth.Outcome != Refused && IsBelow(birth.Child)))
        {
            var end = ends.SingleOrDefault(end => end.Child == birth.Child && end.Outcome != Refused);
            var (someGone, someThere) = (false, false);
            for (var tick = look.Began; tick <= look.Ended; tick++)
            {
                var isBorn = tick > birth.Ended && birth.Outcome == Ok;
                var mayBeBorn = tick >= birth.Began;
                var mayBeGone = end is not null && tick >= end.Began;
                var isGone = end is { Outcome: Ok } && tick > end.Ended;
                someGone |= !isBorn || mayBeGone;
                someThere |= mayBeBorn && !isGone;
            }

            always |= !someGone;
            never &= !someThere;
        }

        return (look.IsSet, always, never) switch { (true, true, _) => SignalFindingKind.Early, (false, _, true) => SignalFindingKind.Missing, _ => null };

        bool IsBelow(ulong vmo)
        {
            while (vmo != 1)
            {
                if (births.SingleOrDefault(birth => birth.Child == vmo) is not { Outcome: not Refused } birth)
                    return false;
                vmo = birth.Parent;
            }

            return true;
        }
    }

    private static void Right(ChildBirth[] births, ChildEnd[] ends, long began, long ended, long lateBy = 0)
    {
        var found = SignalChecker.Check(births, ends, [new(1, began, ended, true), new(1, began, ended, false)], lateBy);
        Assert.Empty(found.Findings);
        Assert.Equal((0, 2), (found.Judged, found.Open));
    }

    private static void Wrong(SignalFindingKind kind, ChildBirth[] births, ChildEnd[] ends, bool set, long began, long ended, long lateBy = 0)
    {
        var look = new SignalSeen(1, began, ended, set);
        Assert.Equal(kind, Assert.Single(SignalChecker.Check(births, ends, [look], lateBy).Findings).Kind);
        Assert.Empty(SignalChecker.Check(births, ends, [look with { IsSet = !set }], lateBy).Findings);
    }
}
