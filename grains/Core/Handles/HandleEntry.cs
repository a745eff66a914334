using VmoCluster.Core.Encoding;

namespace VmoCluster.Core.Handles;

/// <summary>
/// One handle of a VMO as the record keeps it. A closed one stays while handles derived from it live, so that a revoke above still finds them.
/// </summary>
/// <param name="Number">From 1, never used again.</param>
/// <param name="Hash">SHA-256 of the secret.</param>
/// <param name="Rights">What it allows.</param>
/// <param name="Parent">The handle it was derived from, 0 for the first.</param>
/// <param name="ExpiresMs">Unix milliseconds at which it ends, 0 for never.</param>
/// <param name="Range">Bytes it may touch; null for all.</param>
/// <param name="ConfirmByMs">Unix milliseconds until which its receiver must be heard of; 0 once it was.</param>
/// <param name="IsClosed">Ended; kept for the derivation only.</param>
public sealed record HandleEntry(
    uint Number, HandleHash Hash, VmoRights Rights, uint Parent, long ExpiresMs, ByteRange? Range, long ConfirmByMs, bool IsClosed)
{
    /// <summary>The first moment at which time ends it; <see cref="long.MaxValue"/> for never.</summary>
    public long EndsMs => IsClosed ? long.MaxValue : Math.Min(ExpiresMs == 0 ? long.MaxValue : ExpiresMs, ConfirmByMs == 0 ? long.MaxValue : ConfirmByMs);

    public byte[] Encode()
    {
        var writer = new FieldWriter(96);
        writer.Byte(1);
        Span<byte> hash = stackalloc byte[HandleHash.Bytes];
        Hash.Write(hash);
        writer.Bytes(hash);
        writer.UInt32((uint)Rights);
        writer.Varint(Parent);
        writer.Varint((ulong)ExpiresMs);
        writer.Varint((ulong)ConfirmByMs);
        writer.Byte((byte)((IsClosed ? 1 : 0) | (Range is null ? 0 : 2)));
        if (Range is { } range)
        {
            writer.UInt64(range.Offset);
            writer.UInt64(range.Length);
        }

        return writer.ToArray();
    }

    /// <summary>Reads a stored handle; null for the mark of one that is gone.</summary>
    public static HandleEntry? Decode(uint number, ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return null;
        var reader = new FieldReader(value);
        if (reader.Byte() is var format and not 1)
            throw new InvalidDataException($"a handle has format {format}, this is for format 1");
        var hash = HandleHash.Read(reader.Take(HandleHash.Bytes));
        var rights = (VmoRights)reader.UInt32();
        var parent = checked((uint)reader.Varint());
        var expires = (long)reader.Varint();
        var confirm = (long)reader.Varint();
        var flags = reader.Byte();
        ByteRange? range = (flags & 2) != 0 ? new(reader.UInt64(), reader.UInt64()) : null;
        return new(number, hash, rights, parent, expires, range, confirm, (flags & 1) != 0);
    }
}
