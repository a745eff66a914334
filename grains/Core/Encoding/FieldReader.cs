using System.Buffers.Binary;

namespace VmoCluster.Core.Encoding;

/// <summary>Reads what <see cref="FieldWriter"/> wrote. A value that ends early or says more than it can is damage: <see cref="InvalidDataException"/>.</summary>
public ref struct FieldReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    public byte Byte() => Take(1)[0];

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    public ulong Varint()
    {
        var value = 0ul;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var b = Byte();
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
                return value;
        }

        throw new InvalidDataException("a stored number is longer than 10 bytes");
    }

    /// <summary>A count that the rest of the value can hold at one byte an item at the least.</summary>
    public int Count()
    {
        var count = Varint();
        return count <= (ulong)_rest.Length
            ? (int)count
            : throw new InvalidDataException($"a stored count says {count} where {_rest.Length} bytes follow");
    }

    public string Text() => System.Text.Encoding.UTF8.GetString(Take(Count()));

    public ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length)
            throw new InvalidDataException($"a stored value ends {count - _rest.Length} bytes early");
        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
