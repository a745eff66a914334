using System.Buffers.Binary;

namespace VmoCluster;

/// <summary>SHA-256 of a handle's secret: all that a VMO's record keeps of it.</summary>
[GenerateSerializer, Immutable, Alias("vmo.HandleHash")]
public readonly record struct HandleHash(
    [property: Id(0)] ulong A, [property: Id(1)] ulong B, [property: Id(2)] ulong C, [property: Id(3)] ulong D)
{
    /// <summary>Length in bytes.</summary>
    public const int Bytes = 32;

    /// <summary>Reads 32 bytes.</summary>
    public static HandleHash Read(ReadOnlySpan<byte> source) => new(
        BinaryPrimitives.ReadUInt64BigEndian(source),
        BinaryPrimitives.ReadUInt64BigEndian(source[8..]),
        BinaryPrimitives.ReadUInt64BigEndian(source[16..]),
        BinaryPrimitives.ReadUInt64BigEndian(source[24..]));

    /// <summary>Writes 32 bytes.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, A);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], B);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], C);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], D);
    }

    /// <summary>Equality in constant time: no branch depends on where two hashes differ.</summary>
    public bool Equals(HandleHash other) => ((A ^ other.A) | (B ^ other.B) | (C ^ other.C) | (D ^ other.D)) == 0;

    // A hash of a random secret is already evenly spread, and its first word tells nothing about the secret.
    /// <inheritdoc/>
    public override int GetHashCode() => A.GetHashCode();
}
