using System.Buffers;
using System.Buffers.Binary;

namespace VmoCluster.Core.Encoding;

/// <summary>
/// Writes one stored value: integers little-endian or as LEB128, strings as length and UTF-8. What it writes is layout 1 and never changes
/// meaning; a new form gets a new format byte.
/// </summary>
public struct FieldWriter
{
    private readonly ArrayBufferWriter<byte> _buffer;

    public FieldWriter(int capacity) => _buffer = new ArrayBufferWriter<byte>(capacity);

    /// <summary>What was written so far.</summary>
    public readonly byte[] ToArray() => _buffer.WrittenSpan.ToArray();

    public readonly void Byte(byte value)
    {
        _buffer.GetSpan(1)[0] = value;
        _buffer.Advance(1);
    }

    public readonly void UInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.GetSpan(4), value);
        _buffer.Advance(4);
    }

    public readonly void UInt64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer.GetSpan(8), value);
        _buffer.Advance(8);
    }

    /// <summary>LEB128, 1 to 10 bytes.</summary>
    public readonly void Varint(ulong value)
    {
        var span = _buffer.GetSpan(10);
        var at = 0;
        for (; value >= 0x80; value >>= 7)
            span[at++] = (byte)(value | 0x80);
        span[at++] = (byte)value;
        _buffer.Advance(at);
    }

    public readonly void Text(string value)
    {
        Varint((ulong)System.Text.Encoding.UTF8.GetByteCount(value));
        _buffer.Advance(System.Text.Encoding.UTF8.GetBytes(value, _buffer.GetSpan(System.Text.Encoding.UTF8.GetByteCount(value))));
    }

    public readonly void Bytes(ReadOnlySpan<byte> value) => _buffer.Write(value);
}
