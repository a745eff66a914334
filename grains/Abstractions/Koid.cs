using System.Globalization;

namespace VmoCluster;

/// <summary>
/// The number of a VMO: 64 bits, given out in blocks, never used twice, small enough to say aloud. No secret: knowing it opens nothing.
/// </summary>
[GenerateSerializer, Immutable, Alias("vmo.Koid")]
public readonly record struct Koid([property: Id(0)] ulong Value) : IComparable<Koid>
{
    /// <summary>No object: the parent of a root.</summary>
    public static Koid None => default;

    /// <summary>Whether this names no object.</summary>
    public bool IsNone => Value == 0;

    /// <inheritdoc/>
    public int CompareTo(Koid other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    public static bool operator <(Koid left, Koid right) => left.Value < right.Value;
    public static bool operator >(Koid left, Koid right) => left.Value > right.Value;
    public static bool operator <=(Koid left, Koid right) => left.Value <= right.Value;
    public static bool operator >=(Koid left, Koid right) => left.Value >= right.Value;
}
