using VmoCluster.Core.Record;

namespace VmoCluster.Core.Family;

/// <summary>One VMO as the store has it: its record and its top layer.</summary>
/// <param name="Record">The record.</param>
/// <param name="Top">The top layer: the one the record names, or the last that follows it.</param>
public sealed record FamilyMember(VmoRecord Record, LayerSummary Top)
{
    public Koid Koid => Record.Meta.Koid;

    /// <summary>Whether its last handle is closed and nobody shows its pages: its top is being freed, or is.</summary>
    public bool IsDying => Record.State == VmoState.Dying;

    /// <summary>Whether its parent lives at least as long as it does.</summary>
    public bool IsFollower => Record.Meta.Kind is not (VmoKind.Root or VmoKind.Snapshot);

    /// <summary>Whether it looks through a frozen layer of its own: the highest that stands is the user of none.</summary>
    public bool Uses(uint layer) => !IsDying || Top.Below.Under != layer;
}
