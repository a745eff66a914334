namespace VmoCluster.Chaos.History;

/// <summary>A call that derives a handle from another: a duplicate, a replacement, a mapping. Those of clones and of new VMOs derive from none and are not told.</summary>
public sealed record HandleBirth(ulong Source, ulong Handle, long Began, long Ended, HistoryOutcome Outcome);

/// <summary>A call through a handle.</summary>
/// <param name="Value">What a write carried; 0 of any other call. Shown by any read, it was accepted, whatever its caller was told.</param>
public sealed record HandleUse(ulong Handle, long Began, long Ended, HistoryOutcome Outcome, ulong Value = 0);

public enum HandleEndKind
{
    /// <summary>A close or a replace: that handle, and nothing derived from it.</summary>
    Close,

    /// <summary>That handle and all that derives from it, also over closed ones between.</summary>
    Revoke,
}

/// <summary>A call that ends a handle.</summary>
public sealed record HandleEnd(ulong Handle, HandleEndKind Kind, long Began, long Ended, HistoryOutcome Outcome);

/// <summary>A call that was accepted through a handle that was gone.</summary>
public sealed record HandleFinding(HandleUse Use, HandleEnd End, string Tale);

/// <summary>The verdict on all uses.</summary>
/// <param name="Judged">Calls that began after their handle's end had been answered, and that were answered or whose effect was seen; each had to be refused.</param>
/// <param name="Closed">Those of them whose handle was closed, and not revoked before.</param>
public sealed record CheckedHandles(IReadOnlyList<HandleFinding> Findings, long Judged, long Closed)
{
    public override string ToString() => $"{Findings.Count} findings; {Judged:N0} calls judged through handles that were gone, {Closed:N0} of them closed";
}
