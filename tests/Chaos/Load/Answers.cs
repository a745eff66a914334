using VmoCluster.Chaos.History;

namespace VmoCluster.Chaos.Load;

/// <summary>What an answer other than Ok says of its call.</summary>
internal static class Answers
{
    /// <summary>How the call ended for the checkers. Unexplained: no fault makes that answer right; the run goes on, as what else it finds is worth as much.</summary>
    /// <param name="isChange">Whether it may have been done by a try before the one that was answered.</param>
    /// <param name="isHeld">Whether nobody had begun to close its VMO when it was answered.</param>
    public static HistoryOutcome Of(VmoStatus status, bool isChange, bool isHeld, out bool isUnexplained)
    {
        var isUnanswered = status.IsRetryable() || status == VmoStatus.TimedOut;
        isUnexplained = !isUnanswered && (status != VmoStatus.BadHandle || isHeld);
        // A change that was tried more than once may have been done before the VMO was closed, and then be refused for its handle.
        return status == VmoStatus.BadHandle && !isChange ? HistoryOutcome.Refused : HistoryOutcome.Unknown;
    }
}
