using System.Diagnostics;
using System.Globalization;

namespace VmoCluster.Chaos.History;

/// <summary>A call that makes a child, of whatever kind. Times are those of <see cref="HistoryEvent"/>.</summary>
/// <param name="Child">0 if nobody was told: a call without an answer may have left a child that nobody can end.</param>
public sealed record ChildBirth(ulong Parent, ulong Child, long Began, long Ended, HistoryOutcome Outcome);

/// <summary>
/// A call that lets go of the last thing that held a VMO of its own accord: its last handle, or mapping, whichever went last. What held it before need not be told.
/// </summary>
public sealed record ChildEnd(ulong Child, long Began, long Ended, HistoryOutcome Outcome);

/// <summary>An answered look at a VMO's ZERO_CHILDREN.</summary>
public sealed record SignalSeen(ulong Vmo, long Began, long Ended, bool IsSet);

public enum SignalFindingKind
{
    /// <summary>Set over a child that lived all the while.</summary>
    Early,

    /// <summary>Not set although every child was gone before.</summary>
    Missing,
}

/// <summary>A look that cannot have been right.</summary>
public sealed record SignalFinding(SignalFindingKind Kind, SignalSeen Seen, string Tale);

/// <summary>The verdict on all looks.</summary>
/// <param name="Judged">Looks of which one answer would have been wrong.</param>
/// <param name="Childless">Those of them at which no child can have lived: a clear signal would have been wrong.</param>
/// <param name="Open">Looks that could not have been wrong: something was born or ended meanwhile, or may have been.</param>
/// <param name="Latest">Ticks after the end of the last child at which the signal was still clear, at worst; also those that are allowed.</param>
public sealed record CheckedSignals(IReadOnlyList<SignalFinding> Findings, long Judged, long Childless, long Open, long Latest)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Findings.Count} findings; {Judged:N0} looks judged, {Childless:N0} of them without a child, {Open:N0} that either answer fits; clear for {(double)Latest / Stopwatch.Frequency:F1} s after the last child had gone, at worst");
}
