namespace VmoCluster;

/// <summary>A range of bytes: offset and length. It may wrap past 2^64; whoever takes it from outside asks <see cref="Wraps"/>.</summary>
[GenerateSerializer, Immutable, Alias("vmo.ByteRange")]
public readonly record struct ByteRange([property: Id(0)] ulong Offset, [property: Id(1)] ulong Length)
{
    /// <summary>Everything a VMO can hold.</summary>
    public static ByteRange All => new(0, ulong.MaxValue);

    /// <summary>Whether offset + length passes 2^64.</summary>
    public bool Wraps => Offset + Length < Offset;

    /// <summary>The byte after the last. Meaningless when <see cref="Wraps"/>.</summary>
    public ulong End => Offset + Length;

    /// <summary>Whether all of it lies in [0, size).</summary>
    public bool IsInside(ulong size) => !Wraps && End <= size;

    /// <summary>Whether the other range lies inside this one; an empty range does where it touches it.</summary>
    public bool Contains(ByteRange other) => !other.Wraps && other.Offset >= Offset && other.End <= End;

    /// <inheritdoc/>
    public override string ToString() => $"{Offset}+{Length}";
}
