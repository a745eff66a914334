using VmoCluster.Chaos.History;
using VmoCluster.Chaos.Load;

namespace VmoCluster.Chaos.Tests.History;

/// <summary>Handles used after their end, and uses that only look like it.</summary>
public sealed class RevocationTests
{
    private const HistoryOutcome Ok = HistoryOutcome.Ok;
    private const HistoryOutcome Unknown = HistoryOutcome.Unknown;
    private const HistoryOutcome Refused = HistoryOutcome.Refused;

    // 1 -> 2 -> 3, and 1 -> 4.
    private static readonly HandleBirth[] Tree = [new(1, 2, 0, 1, Ok), new(2, 3, 2, 3, Ok), new(1, 4, 2, 3, Ok)];

    [Theory]
    [InlineData(HandleEndKind.Close)]
    [InlineData(HandleEndKind.Revoke)]
    public void A_use_after_the_end_was_answered(HandleEndKind kind) => Wrong(2, new HandleEnd(2, kind, 10, 20, Ok));

    [Fact]
    public void A_use_of_what_derives_from_a_revoked_one() => Wrong(3, new HandleEnd(1, HandleEndKind.Revoke, 10, 20, Ok));

    [Fact]
    public void A_use_of_what_derives_over_a_closed_one_from_a_revoked_one() =>
        Wrong(3, new(2, HandleEndKind.Close, 4, 5, Ok), new(1, HandleEndKind.Revoke, 10, 20, Ok));

    [Fact]
    public void A_duplicate_of_a_revoked_one()
    {
        var found = RevocationChecker.Check([.. Tree, new(3, 5, 21, 22, Ok)], [], [new(2, HandleEndKind.Revoke, 10, 20, Ok)]);
        Assert.Equal(3ul, Assert.Single(found.Findings).Use.Handle);
    }

    [Fact]
    public void A_use_of_a_duplicate_that_was_made_while_its_source_was_revoked() =>
        Assert.Single(RevocationChecker.Check([.. Tree, new(3, 5, 12, 25, Ok)], [new(5, 26, 27, Ok)], [new(1, HandleEndKind.Revoke, 10, 20, Ok)]).Findings);

    [Fact]
    public void The_earliest_answered_end_counts() =>
        Wrong(2, new(2, HandleEndKind.Revoke, 10, 20, Ok), new(2, HandleEndKind.Revoke, 30, 40, Ok), new(2, HandleEndKind.Close, 50, 60, Ok));

    [Fact]
    public void Others_of_the_tree_live_on() => Right(4, 21, Ok, new HandleEnd(2, HandleEndKind.Revoke, 10, 20, Ok));

    [Fact]
    public void A_revoke_does_not_reach_the_source() => Right(1, 21, Ok, new HandleEnd(2, HandleEndKind.Revoke, 10, 20, Ok));

    [Fact]
    public void What_derives_from_a_closed_one_lives_on() => Right(3, 21, Ok, new HandleEnd(2, HandleEndKind.Close, 10, 20, Ok));

    [Fact]
    public void A_use_that_began_before_the_answer() => Right(2, 20, Ok, new HandleEnd(2, HandleEndKind.Revoke, 10, 20, Ok));

    [Fact]
    public void A_revoke_without_an_answer_promises_nothing() => Right(2, 21, Ok, new(2, HandleEndKind.Revoke, 10, 20, Unknown), new(1, HandleEndKind.Revoke, 10, 20, Refused));

    // One without an answer shows nothing, and is none of what was judged.
    [Theory]
    [InlineData(Refused, 1)]
    [InlineData(Unknown, 0)]
    public void A_use_that_was_not_accepted(HistoryOutcome outcome, long judged)
    {
        var found = RevocationChecker.Check(Tree, [new(2, 21, 22, outcome, Value: 7)], [new(2, HandleEndKind.Revoke, 10, 20, Ok)], new HashSet<ulong> { 6, 8 });
        Assert.Empty(found.Findings);
        Assert.Equal((judged, 0), (found.Judged, found.Closed));
    }

    [Theory]
    [InlineData(Refused, HandleEndKind.Revoke)]
    [InlineData(Unknown, HandleEndKind.Revoke)]
    [InlineData(Unknown, HandleEndKind.Close)]
    public void A_write_without_an_answer_that_a_read_shows(HistoryOutcome outcome, HandleEndKind kind)
    {
        var found = RevocationChecker.Check(Tree, [new(2, 21, 22, outcome, Value: 7)], [new(2, kind, 10, 20, Ok)], new HashSet<ulong> { 6, 7 });
        Assert.Equal(7ul, Assert.Single(found.Findings).Use.Value);
        Assert.Equal((1, kind == HandleEndKind.Close ? 1 : 0), (found.Judged, found.Closed));
    }

    [Fact]
    public void A_write_that_a_read_shows_and_that_began_before_the_answer()
    {
        var found = RevocationChecker.Check(Tree, [new(2, 15, 22, Unknown, Value: 7)], [new(2, HandleEndKind.Revoke, 10, 20, Ok)], new HashSet<ulong> { 7 });
        Assert.Empty(found.Findings);
        Assert.Equal(0, found.Judged);
    }

    // As a run takes it down: of what was read only the values count that went through handles that had ended.
    [Theory]
    [InlineData(7, 1)]
    [InlineData(6, 0)]
    public void A_recorded_read_shows_what_a_revoked_handle_wrote(ulong shown, int findings)
    {
        var recorder = new Recorder();
        recorder.Add(new HandleEnd(2, HandleEndKind.Revoke, 10, 20, Ok));
        recorder.Add(new HandleUse(2, 21, 22, Unknown, Value: 7));
        recorder.Add(new Told().Read(1, shown, 30, 31).Events[0]);
        Assert.Equal(findings, recorder.CheckHandles().Findings.Count);
    }

    private static void Wrong(ulong handle, params HandleEnd[] ends)
    {
        var finding = Assert.Single(RevocationChecker.Check(Tree, [new(handle, 21, 22, Ok)], ends).Findings);
        Assert.Equal(20, finding.End.Ended);
    }

    private static void Right(ulong handle, long began, HistoryOutcome outcome, params HandleEnd[] ends) =>
        Assert.Empty(RevocationChecker.Check(Tree, [new(handle, began, began + 5, outcome)], ends).Findings);
}
