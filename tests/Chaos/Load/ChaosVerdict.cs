using System.Globalization;
using VmoCluster.Chaos.History;
using VmoCluster.Harness;

namespace VmoCluster.Chaos.Load;

/// <summary>What a run came to.</summary>
internal sealed record ChaosVerdict(
    CheckedHistory History, CheckedSnapshots Snapshots, CheckedSignals Signals, CheckedHandles Handles, IReadOnlyList<string> Damage, IReadOnlyList<string> Calls, TimeSpan Longest, TimeSpan Deadline, int FaultsDone, IReadOnlyList<Fault> Schedule)
{
    /// <summary>What a call may take beyond its deadline.</summary>
    private static readonly TimeSpan Beyond = TimeSpan.FromSeconds(1);

    /// <summary>Calls that were given up without an answer.</summary>
    public required long Unanswered { get; init; }

    /// <summary>The exit codes of silos that were told to leave.</summary>
    public required IReadOnlyList<int> LeftWith { get; init; }

    /// <summary>Calls of all kinds.</summary>
    public required long Operations { get; init; }

    /// <summary>How often a call, or a message of several, was told to wait and tried again.</summary>
    public required long ToldToWait { get; init; }

    /// <summary>Answers that no fault explains.</summary>
    public required IReadOnlyCollection<string> Unexplained { get; init; }

    public bool IsFine => Unexplained.Count == 0 && History.Findings.Count == 0 && Snapshots.Findings.Count == 0 && Signals.Findings.Count == 0 && Handles.Findings.Count == 0 && Damage.Count == 0 && Longest <= Deadline + Beyond;

    public override string ToString() => string.Join('\n', [
        $"{History}",
        $"snapshots: {Snapshots}",
        $"ZERO_CHILDREN: {Signals}",
        $"revoked and closed handles: {Handles}",
        string.Create(CultureInfo.InvariantCulture, $"longest call {Longest.TotalSeconds:F1} s with a deadline of {Deadline.TotalSeconds:F1} s"),
        $"{Operations:N0} calls in all, {Unanswered:N0} of them without an answer; told to wait {ToldToWait:N0} times",
        $"{FaultsDone} of {Schedule.Count} faults: {string.Join(", ", Schedule.GroupBy(fault => fault.Kind).OrderBy(group => group.Key).Select(group => $"{group.Key} {group.Count()}"))}",
        .. LeftWith.Count == 0 ? (string[])[] : [$"silos that left ended with {string.Join(", ", LeftWith)}"],
        .. Calls,
        .. History.Findings.Select(finding => finding.ToString()),
        .. Snapshots.Findings.Select(finding => finding.Tale),
        .. Signals.Findings.Select(finding => finding.Tale),
        .. Handles.Findings.Select(finding => finding.Tale),
        .. Unexplained,
        .. Damage.Select(finding => $"in the store: {finding}"),
        IsFine ? "nothing is wrong" : "SOMETHING IS WRONG",
    ]);
}
