using VmoCluster.Chaos.History;
using VmoCluster.Chaos.Load;

namespace VmoCluster.Chaos.Tests.Load;

/// <summary>Answers that nothing explains, and those that a fault, or a close by somebody else, does.</summary>
public sealed class AnswersTests
{
    // A cluster that denies a VMO for a while, and has it again when all is read at the end, was not seen.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_handle_that_is_not_known_though_nobody_has_begun_to_close_it(bool isChange)
    {
        Answers.Of(VmoStatus.BadHandle, isChange, isHeld: true, out var isUnexplained);
        Assert.True(isUnexplained);
    }

    [Theory]
    [InlineData(true, HistoryOutcome.Unknown)]
    [InlineData(false, HistoryOutcome.Refused)]
    public void A_handle_that_somebody_was_closing(bool isChange, HistoryOutcome outcome)
    {
        Assert.Equal(outcome, Answers.Of(VmoStatus.BadHandle, isChange, isHeld: false, out var isUnexplained));
        Assert.False(isUnexplained);
    }

    [Theory]
    [InlineData(VmoStatus.ShouldWait, false)]
    [InlineData(VmoStatus.Io, false)]
    [InlineData(VmoStatus.TimedOut, false)]
    [InlineData(VmoStatus.DataIntegrity, true)]
    [InlineData(VmoStatus.AccessDenied, true)]
    [InlineData(VmoStatus.OutOfRange, true)]
    public void Any_other_answer_leaves_open_what_was_done(VmoStatus status, bool isWrong)
    {
        Assert.Equal(HistoryOutcome.Unknown, Answers.Of(status, isChange: false, isHeld: true, out var isUnexplained));
        Assert.Equal(isWrong, isUnexplained);
    }
}
