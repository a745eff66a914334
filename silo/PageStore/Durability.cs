using System.Globalization;

namespace VmoCluster.PageStore;

/// <summary>
/// What an acknowledged commit survives of Redis' own failures. <see cref="Primary"/>: what the primary's append-only file survives; a
/// failover may lose the last commits of each VMO, never a change of structure that a replica had to acknowledge.
/// <see cref="Replicas"/>: that many replicas have acknowledged each commit before its caller is answered.
/// </summary>
public readonly record struct Durability
{
    private Durability(int replicas) => ReplicaCount = replicas;

    /// <summary>The primary alone acknowledges.</summary>
    public static Durability Primary => default;

    /// <summary>How many replicas must acknowledge each commit; 0 for <see cref="Primary"/>.</summary>
    public int ReplicaCount { get; }

    /// <summary>This many replicas acknowledge each commit (1 to 5).</summary>
    public static Durability Replicas(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, 5);
        return new(count);
    }

    /// <summary>Reads <c>primary</c> or <c>replicas:N</c>, as <see cref="ToString"/> writes them.</summary>
    public static bool TryParse(string? text, out Durability durability)
    {
        const string replicas = "replicas:";
        durability = Primary;
        if (string.Equals(text, "primary", StringComparison.OrdinalIgnoreCase))
            return true;
        if (text is null || !text.StartsWith(replicas, StringComparison.OrdinalIgnoreCase)
            || !int.TryParse(text.AsSpan(replicas.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count is < 1 or > 5)
            return false;
        durability = new(count);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() =>
        ReplicaCount == 0 ? "primary" : string.Create(CultureInfo.InvariantCulture, $"replicas:{ReplicaCount}");
}
