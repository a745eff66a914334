namespace VmoCluster.Chaos.History;

/// <summary>A snapshot that no single instant explains.</summary>
public sealed record SnapshotFinding(ulong Snapshot, string Tale);

/// <summary>What the check of all snapshots found.</summary>
/// <param name="Judged">Snapshots of which two cells or more were seen.</param>
/// <param name="Met">Those of them in whose source something was changed while they were being made: only these could be wrong.</param>
public sealed record CheckedSnapshots(IReadOnlyList<SnapshotFinding> Findings, long Judged, long Met)
{
    public override string ToString() => $"{Findings.Count} findings; {Judged:N0} snapshots seen in two cells or more, {Met:N0} of them made during changes";
}
