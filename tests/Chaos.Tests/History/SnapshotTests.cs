using VmoCluster.Chaos.History;
using Xunit.Abstractions;

namespace VmoCluster.Chaos.Tests.History;

/// <summary>Snapshots that are wrong on purpose though each of their cells by itself is right, right ones that look wrong, and by seed.</summary>
public sealed class SnapshotTests(ITestOutputHelper output)
{
    private const int Stores = 60;

    // VMO 1 with 11 in cell 0 and 21 in cell 1, each overwritten during [10, 50], in which snapshot 2 is made: 12 before 22 is begun.
    private static Told Overwritten() => new Told().Create(1).Write(1, 11, 0, 1).Write(1, 21, 0, 1, cell: 1)
        .Clone(1, 2, 10, 50, isSnapshot: true).Write(1, 12, 15, 20).Write(1, 22, 30, 35, cell: 1);

    [Fact]
    public void The_second_of_two_writes_without_the_first()
    {
        var told = Overwritten().Read(2, 11, 60, 61).Read(2, 22, 60, 61, cell: 1);
        Assert.Empty(LinearizabilityChecker.Check(told.Events).Findings);
        var found = SnapshotChecker.Check(told.Events);
        Assert.Equal(2ul, Assert.Single(found.Findings).Snapshot);
        Assert.Contains("before 30", found.Findings[0].Tale, StringComparison.Ordinal);
        Assert.Contains("gone at 20", found.Findings[0].Tale, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(11, 21)]
    [InlineData(12, 21)]
    [InlineData(12, 22)]
    public void What_was_there_at_some_instant(ulong first, ulong second)
    {
        var found = SnapshotChecker.Check(Overwritten().Read(2, first, 60, 61).Read(2, second, 60, 61, cell: 1).Events);
        Assert.Empty(found.Findings);
        Assert.Equal((1, 1), (found.Judged, found.Met));
    }

    [Fact]
    public void A_parents_write_without_what_its_live_clone_had_written_before_it() => Wrong(
        new Told().Create(1).Write(1, 11, 0, 1).Write(1, 21, 0, 1, cell: 1).Clone(1, 3, 2, 3)
            .Clone(3, 2, 10, 50, isSnapshot: true).Write(3, 12, 15, 20).Write(1, 22, 30, 35, cell: 1).Read(2, 11, 60, 61).Read(2, 22, 60, 61, cell: 1));

    [Fact]
    public void A_zero_or_a_decommit_takes_away_as_a_write_does()
    {
        Wrong(new Told().Create(1).Write(1, 11, 0, 1).Clone(1, 2, 10, 50, isSnapshot: true).Zero(1, 15, 20).Write(1, 22, 30, 35, cell: 1).Read(2, 11, 60, 61).Read(2, 22, 60, 61, cell: 1));
        Wrong(new Told().Create(1).Write(1, 11, 0, 1).Clone(1, 2, 10, 50, isSnapshot: true).Decommit(1, 15, 20).Write(1, 22, 30, 35, cell: 1).Read(2, 11, 60, 61).Read(2, 22, 60, 61, cell: 1));
    }

    [Fact]
    public void Writes_that_touch_may_have_been_in_either_order() => Right(
        new Told().Create(1).Write(1, 11, 0, 1).Clone(1, 2, 10, 50, isSnapshot: true).Write(1, 12, 15, 30).Write(1, 22, 30, 35, cell: 1).Read(2, 11, 60, 61).Read(2, 22, 60, 61, cell: 1));

    [Fact]
    public void An_overwrite_without_an_answer_may_come_later() => Right(
        new Told().Create(1).Write(1, 11, 0, 1).Clone(1, 2, 10, 50, isSnapshot: true).Write(1, 12, 15, 20, HistoryOutcome.Unknown).Write(1, 22, 30, 35, cell: 1).Read(2, 11, 60, 61).Read(2, 22, 60, 61, cell: 1));

    [Fact]
    public void A_live_clones_page_that_was_decommitted_hides_nothing_for_good() => Right(
        new Told().Create(1).Write(1, 11, 0, 1).Clone(1, 3, 2, 3).Write(3, 12, 4, 5).Decommit(3, 6, 7)
            .Clone(3, 2, 10, 50, isSnapshot: true).Write(1, 22, 30, 35, cell: 1).Read(2, 11, 60, 61).Read(2, 22, 60, 61, cell: 1));

    [Fact]
    public void A_snapshot_of_a_snapshot_keeps_what_the_first_kept() => Right(
        new Told().Create(1).Write(1, 11, 0, 1).Write(1, 21, 0, 1, cell: 1).Clone(1, 3, 2, 3, isSnapshot: true).Write(1, 12, 4, 5)
            .Clone(3, 2, 10, 50, isSnapshot: true).Write(3, 22, 30, 35, cell: 1).Read(2, 11, 60, 61).Read(2, 22, 60, 61, cell: 1));

    [Fact]
    public void What_is_written_to_the_snapshot_itself_says_nothing() => Right(
        new Told().Create(1).Write(1, 11, 0, 1).Write(1, 21, 0, 1, cell: 1).Clone(1, 2, 10, 50, isSnapshot: true).Write(2, 12, 60, 61)
            .Read(2, 11, 55, 56).Read(2, 12, 62, 63).Read(2, 21, 62, 63, cell: 1));

    [Fact]
    public void One_that_is_taken_in_pieces_is_found_though_each_cell_is_right_and_one_of_a_right_store_never_is()
    {
        var (wrong, met) = (0, 0L);
        for (var seed = 0; seed < Stores; seed++)
        {
            var right = SnapshotChecker.Check(new PlayedStore(seed).Play(calls: 1000));
            Assert.True(right.Findings.Count == 0, $"seed {seed}: {string.Join('\n', right.Findings)}");
            met += right.Met;
            var events = new PlayedStore(seed, takesSnapshotsInPieces: true).Play(calls: 1000);
            Assert.Empty(LinearizabilityChecker.Check(events).Findings);
            wrong += SnapshotChecker.Check(events).Findings.Count > 0 ? 1 : 0;
        }

        output.WriteLine($"{met} snapshots made during changes; {wrong} of {Stores} wrong stores found");
        Assert.True(met > 100, $"only {met} snapshots were made during changes");
        Assert.True(wrong > 10, $"only {wrong} of {Stores} wrong stores were found");
    }

    private static void Right(Told told)
    {
        Assert.Empty(LinearizabilityChecker.Check(told.Events).Findings);
        var found = SnapshotChecker.Check(told.Events);
        Assert.Empty(found.Findings);
        Assert.Equal(1, found.Judged);
    }

    private static void Wrong(Told told)
    {
        Assert.Empty(LinearizabilityChecker.Check(told.Events).Findings);
        Assert.Single(SnapshotChecker.Check(told.Events).Findings);
    }
}
