using System.Buffers.Binary;
using System.Security.Cryptography;

namespace VmoCluster;

/// <summary>The 128 bits that make a handle a handle. Prints as stars; stored nowhere but in the holder's handle text.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Secret")]
public readonly record struct HandleSecret([property: Id(0)] ulong High, [property: Id(1)] ulong Low)
{
    /// <summary>Length in bytes.</summary>
    public const int Bytes = 16;

    public bool IsNone => High == 0 && Low == 0;

    /// <summary>A fresh secret from the system's generator.</summary>
    public static HandleSecret Create()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        RandomNumberGenerator.Fill(bytes);
        return Read(bytes);
    }

    /// <summary>Reads 16 bytes.</summary>
    public static HandleSecret Read(ReadOnlySpan<byte> source) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(source), BinaryPrimitives.ReadUInt64BigEndian(source[8..]));

    /// <summary>Writes 16 bytes.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, High);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], Low);
    }

    /// <summary>What is stored of it: its SHA-256.</summary>
    public HandleHash Hash()
    {
        Span<byte> secret = stackalloc byte[Bytes];
        Span<byte> hash = stackalloc byte[HandleHash.Bytes];
        Write(secret);
        SHA256.HashData(secret, hash);
        return HandleHash.Read(hash);
    }

    /// <summary>The secret of the child with this number made from this seed: the first 16 bytes of SHA-256(seed, "child", number).</summary>
    public HandleSecret Child(int number)
    {
        Span<byte> source = stackalloc byte[Bytes + 9];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        Write(source);
        "child"u8.CopyTo(source[Bytes..]);
        BinaryPrimitives.WriteInt32BigEndian(source[(Bytes + 5)..], number);
        SHA256.HashData(source, hash);
        return Read(hash);
    }

    /// <summary>Stars. A secret is never printed by accident.</summary>
    public override string ToString() => "***";
}
