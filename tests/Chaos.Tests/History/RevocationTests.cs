using VmoCluster.Chaos.History;

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

    [Theory]
    [InlineData(Refused)]
    [InlineData(Unknown)]
    public void A_use_that_was_not_accepted(HistoryOutcome outcome)
    {
        var found = RevocationChecker.Check(Tree, [new(2, 21, 22, outcome)], [new(2, HandleEndKind.Revoke, 10, 20, Ok)]);
        Assert.Empty(found.Findings);
        Assert.Equal(1, found.Judged);
    }

    private static void Wrong(ulong handle, params HandleEnd[] ends)
    {
        var finding = Assert.Single(RevocationChecker.Check(Tree, [new(handle, 21, 22, Ok)], ends).Findings);
        Assert.Equal(20, finding.End.Ended);
    }

    private static void Right(ulong handle, long began, HistoryOutcome outcome, params HandleEnd[] ends) =>
        Assert.Empty(RevocationChecker.Check(Tree, [new(handle, began, began + 5, outcome)], ends).Findings);
}
