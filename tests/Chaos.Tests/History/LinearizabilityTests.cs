using VmoCluster.Chaos.History;

namespace VmoCluster.Chaos.Tests.History;

/// <summary>Histories that are wrong on purpose, each in one way, and right ones that look wrong.</summary>
public sealed class LinearizabilityTests
{
    private const HistoryOutcome Unknown = HistoryOutcome.Unknown;

    [Fact]
    public void An_acknowledged_write_that_is_lost() => Wrong(FindingKind.NotLinearizable, Family().Write(1, 7, 0, 10).Read(1, 0, 11, 12));

    [Fact]
    public void An_older_value_after_a_newer_one_was_read() =>
        Wrong(FindingKind.NotLinearizable, Family().Write(1, 7, 0, 10).Write(1, 8, 11, 30).Read(1, 8, 15, 16).Read(1, 7, 17, 18));

    [Fact]
    public void A_write_shown_before_it_began() => Wrong(FindingKind.NotLinearizable, Family().Read(1, 7, 0, 5).Write(1, 7, 6, 10));

    [Fact]
    public void The_past_of_the_root_shown_three_clones_below_after_its_write_was_answered() =>
        Wrong(FindingKind.NotLinearizable, Chain().Write(1, 7, 10, 20).Write(1, 8, 21, 30).Read(4, 7, 31, 32));

    [Fact]
    public void A_clone_that_shows_its_parents_write_over_its_own() => Wrong(FindingKind.NotLinearizable, Chain().Write(2, 7, 10, 20).Write(1, 8, 21, 30).Read(4, 8, 31, 32));

    [Fact]
    public void A_snapshot_that_changes() =>
        Wrong(FindingKind.NotLinearizable, Family().Write(1, 7, 0, 1).Clone(1, 2, 2, 3, isSnapshot: true).Write(1, 8, 4, 5).Read(2, 7, 6, 7).Read(2, 8, 8, 9));

    [Fact]
    public void A_snapshot_of_the_past() => Wrong(FindingKind.NotLinearizable, Family().Write(1, 7, 0, 1).Write(1, 8, 2, 3).Clone(1, 2, 4, 5, isSnapshot: true).Read(2, 7, 6, 7));

    [Fact]
    public void A_decommit_that_does_not_reveal_the_parent() =>
        Wrong(FindingKind.NotLinearizable, Chain().Write(1, 7, 10, 11).Write(2, 8, 12, 13).Decommit(2, 14, 15).Read(2, 8, 16, 17));

    [Fact]
    public void Zeros_that_let_the_parent_through() => Wrong(FindingKind.NotLinearizable, Chain().Zero(2, 10, 11).Write(1, 7, 12, 13).Read(2, 7, 14, 15));

    [Fact]
    public void A_write_without_an_answer_that_is_shown_and_gone_again() =>
        Wrong(FindingKind.NotLinearizable, Family().Write(1, 7, 0, 1, Unknown).Read(1, 7, 5, 6).Read(1, 0, 7, 8));

    [Fact]
    public void A_write_without_an_answer_that_takes_effect_twice() =>
        Wrong(FindingKind.NotLinearizable, Family().Write(1, 7, 0, 1, Unknown).Read(1, 7, 5, 6).Write(1, 8, 7, 8).Read(1, 8, 9, 10).Read(1, 7, 11, 12));

    [Fact]
    public void A_decommit_without_an_answer_that_takes_effect_twice() =>
        Wrong(FindingKind.NotLinearizable, Family().Write(1, 7, 0, 1).Decommit(1, 2, 3, Unknown).Read(1, 0, 4, 5).Write(1, 8, 6, 7).Read(1, 8, 8, 9).Read(1, 0, 10, 11));

    [Fact]
    public void A_zombies_write_over_what_its_successor_acknowledged() =>
        Wrong(FindingKind.NotLinearizable, Family().Write(1, 7, 0, 10).Write(1, 8, 11, 20).Read(1, 8, 21, 22).Write(1, 9, 30, 31).Read(1, 9, 32, 33).Read(1, 8, 40, 41));

    [Fact]
    public void What_is_wrong_only_across_a_moment_in_which_nothing_is_under_way() =>
        Wrong(FindingKind.NotLinearizable, Family().Write(1, 7, 0, 10).Write(1, 8, 5, 12).Read(1, 7, 20, 21).Read(1, 8, 30, 31));

    [Fact]
    public void Pages_of_one_call_that_differ() => Wrong(FindingKind.Torn, Family().Write(1, 7, 0, 1).Write(1, 8, 2, 9).Torn(1, 7, 8, 3, 4));

    [Fact]
    public void A_value_nobody_wrote() => Wrong(FindingKind.Invented, Family().Read(1, 7, 0, 1));

    [Fact]
    public void The_value_of_a_refused_write() => Wrong(FindingKind.RefusedShown, Family().Write(1, 7, 0, 1, HistoryOutcome.Refused).Read(1, 7, 2, 3));

    [Fact]
    public void More_open_calls_than_can_be_decided_are_not_called_right()
    {
        var told = Family().Write(1, 7, 0, 1);
        for (var i = 0; i < 11; i++)
            told.Zero(1, 2, 3, Unknown);
        Wrong(FindingKind.NotDecided, told.Read(1, 7, 4, 5));
    }

    [Fact]
    public void What_overlaps_may_be_in_any_order() => Right(Family().Write(1, 7, 0, 30).Write(1, 8, 0, 30).Read(1, 8, 5, 6).Read(1, 7, 10, 11).Read(1, 7, 40, 41));

    [Fact]
    public void A_write_without_an_answer_may_take_effect_late_or_never() =>
        Right(Family().Write(1, 7, 0, 1, Unknown).Write(1, 8, 0, 1, Unknown).Write(1, 9, 2, 3).Read(1, 9, 4, 5).Read(1, 7, 50, 51));

    [Fact]
    public void A_write_without_an_answer_may_be_seen_through_a_snapshot_alone() =>
        Right(Family().Write(1, 7, 0, 1, Unknown).Clone(1, 2, 2, 9, isSnapshot: true).Write(1, 8, 3, 8).Read(1, 8, 10, 11).Read(2, 7, 12, 13));

    [Fact]
    public void A_decommit_without_an_answer_may_take_effect_late() =>
        Right(Chain().Write(1, 7, 10, 11).Write(2, 8, 12, 13).Decommit(2, 14, 15, Unknown).Read(2, 8, 20, 21).Read(4, 7, 30, 31).Read(2, 7, 40, 41));

    [Fact]
    public void A_clone_follows_its_parent_until_it_writes_and_again_after_a_decommit() =>
        Right(Chain().Write(1, 7, 10, 11).Read(4, 7, 12, 13).Write(4, 8, 14, 15).Write(1, 9, 16, 17).Read(4, 8, 18, 19).Read(3, 9, 18, 19).Decommit(4, 20, 21).Read(4, 9, 22, 23));

    [Fact]
    public void A_snapshot_reveals_what_it_was_made_of() =>
        Right(Family().Write(1, 7, 0, 1).Clone(1, 2, 2, 3, isSnapshot: true).Write(2, 8, 4, 5).Write(1, 9, 4, 5).Decommit(2, 6, 7).Read(2, 7, 8, 9));

    private static Told Family() => new Told().Create(1);

    private static Told Chain() => Family().Clone(1, 2, 0, 1).Clone(2, 3, 2, 3).Clone(3, 4, 4, 5);

    private static void Right(Told told)
    {
        var found = LinearizabilityChecker.Check(told.Events);
        Assert.True(found.Findings.Count == 0, string.Join('\n', found.Findings));
        Assert.True(Brute.Explains(told.Events), "no order explains it at all");
    }

    private static void Wrong(FindingKind kind, Told told)
    {
        var found = LinearizabilityChecker.Check(told.Events);
        Assert.Contains(kind, found.Findings.Select(one => one.Kind));
        if (kind == FindingKind.NotLinearizable)
            Assert.False(Brute.Explains(told.Events), "there is an order that explains it");
    }
}
