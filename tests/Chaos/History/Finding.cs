namespace VmoCluster.Chaos.History;

/// <summary>What is wrong with a history.</summary>
public enum FindingKind
{
    /// <summary>No order of the calls explains what was read.</summary>
    NotLinearizable,

    /// <summary>The pages of one cell, always written by one call, differ.</summary>
    Torn,

    /// <summary>A value that no call carried for this cell of this family.</summary>
    Invented,

    /// <summary>The value of a write that was answered with a refusal.</summary>
    RefusedShown,

    /// <summary>Neither right nor wrong: too many calls without an answer could still take effect.</summary>
    NotDecided,
}

/// <summary>One thing that is wrong, for a person.</summary>
/// <param name="Root">The family's first VMO.</param>
/// <param name="Tale">The call that nothing explains, what the cell could have shown, and what was under way.</param>
public sealed record Finding(FindingKind Kind, ulong Root, int Cell, string Tale)
{
    public override string ToString() => $"{Kind}: cell {Cell} of the family of VMO {Root}: {Tale}";
}
