using System.Buffers.Binary;
using System.Text;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor.Handshake;

/// <summary>Reads an option's data from front to back. False: there is less of it than it says, or a name longer than names are.</summary>
internal ref struct OptionReader(ReadOnlySpan<byte> data)
{
    private ReadOnlySpan<byte> _rest = data;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    public bool TryReadUInt16(out ushort value)
    {
        value = 0;
        if (_rest.Length < 2)
            return false;
        value = BinaryPrimitives.ReadUInt16BigEndian(_rest);
        _rest = _rest[2..];
        return true;
    }

    public bool TryReadUInt32(out uint value)
    {
        value = 0;
        if (_rest.Length < 4)
            return false;
        value = BinaryPrimitives.ReadUInt32BigEndian(_rest);
        _rest = _rest[4..];
        return true;
    }

    public bool TryReadUInt16s(int count, out ushort[] values)
    {
        values = [];
        if (_rest.Length < 2 * count)
            return false;
        values = new ushort[count];
        for (var i = 0; i < count; i++)
            TryReadUInt16(out values[i]);
        return true;
    }

    /// <summary>A length of four bytes, and so many bytes.</summary>
    public bool TryReadText(out byte[] text)
    {
        text = [];
        if (!TryReadUInt32(out var length) || length > NbdNumbers.NameBytesMax || length > (uint)_rest.Length)
            return false;
        text = _rest[..(int)length].ToArray();
        _rest = _rest[(int)length..];
        return true;
    }

    public bool TryReadTexts(int count, out List<string> texts)
    {
        texts = [];
        for (var i = 0; i < count; i++)
        {
            if (!TryReadText(out var text))
                return false;
            texts.Add(Encoding.UTF8.GetString(text));
        }

        return true;
    }
}
