using System.Buffers.Binary;

namespace VmoCluster.Core.Encoding;

/// <summary>Names of the fields of records and layers (grains/DESIGN.md, stored layout).</summary>
public static class FieldNames
{
    public static ReadOnlyMemory<byte> Meta { get; } = "meta"u8.ToArray();
    public static ReadOnlyMemory<byte> Name { get; } = "name"u8.ToArray();
    public static ReadOnlyMemory<byte> Labels { get; } = "labels"u8.ToArray();
    public static ReadOnlyMemory<byte> Signals { get; } = "sig"u8.ToArray();
    public static ReadOnlyMemory<byte> Top { get; } = "top"u8.ToArray();
    public static ReadOnlyMemory<byte> State { get; } = "state"u8.ToArray();
    public static ReadOnlyMemory<byte> NextHandle { get; } = "hn"u8.ToArray();
    public static ReadOnlyMemory<byte> Event { get; } = "ev"u8.ToArray();
    public static ReadOnlyMemory<byte> Size { get; } = "size"u8.ToArray();
    public static ReadOnlyMemory<byte> Runs { get; } = "runs"u8.ToArray();
    public static ReadOnlyMemory<byte> Count { get; } = "count"u8.ToArray();
    public static ReadOnlyMemory<byte> Blob { get; } = "blob"u8.ToArray();
    public static ReadOnlyMemory<byte> Garbage { get; } = "gc"u8.ToArray();
    public static ReadOnlyMemory<byte> Doubtful { get; } = "doubt"u8.ToArray();

    public static ReadOnlyMemory<byte> Below { get; } = "below"u8.ToArray();
    public static ReadOnlyMemory<byte> Lineage { get; } = "anc"u8.ToArray();
    public static ReadOnlyMemory<byte> Frozen { get; } = "frozen"u8.ToArray();
    public static ReadOnlyMemory<byte> Next { get; } = "next"u8.ToArray();
    public static ReadOnlyMemory<byte> Folded { get; } = "folded"u8.ToArray();
    public static ReadOnlyMemory<byte> Left { get; } = "from"u8.ToArray();
    public static ReadOnlyMemory<byte> Hidden { get; } = "hide"u8.ToArray();
    public static ReadOnlyMemory<byte> Children { get; } = "kids"u8.ToArray();
    public static ReadOnlyMemory<byte> Holders { get; } = "hold"u8.ToArray();
    public static ReadOnlyMemory<byte> Pins { get; } = "pins"u8.ToArray();
    public static ReadOnlyMemory<byte> Intent { get; } = "intent"u8.ToArray();

    /// <summary>What the names of all leaves begin with, and of no other field of a layer: a scan by it brings leaves only.</summary>
    public static ReadOnlyMemory<byte> LeafPrefix { get; } = "l"u8.ToArray();

    /// <summary><c>l</c> and the leaf's number, 8 bytes big-endian.</summary>
    public static ReadOnlyMemory<byte> Leaf(ulong leaf)
    {
        var name = new byte[9];
        name[0] = (byte)'l';
        BinaryPrimitives.WriteUInt64BigEndian(name.AsSpan(1), leaf);
        return name;
    }

    /// <summary><c>h</c> and the handle's number, 4 bytes big-endian.</summary>
    public static ReadOnlyMemory<byte> Handle(uint number) => Numbered((byte)'h', number);

    /// <summary><c>q</c> and the ring's slot, 4 bytes big-endian.</summary>
    public static ReadOnlyMemory<byte> Ring(uint slot) => Numbered((byte)'q', slot);

    /// <summary><c>u</c> and a frozen layer's number, 4 bytes big-endian: the VMOs elsewhere that look through it.</summary>
    public static ReadOnlyMemory<byte> Users(uint layer) => Numbered((byte)'u', layer);

    /// <summary>Reads the number out of a leaf's name.</summary>
    public static bool TryReadLeaf(ReadOnlySpan<byte> name, out ulong leaf)
    {
        leaf = 0;
        if (name.Length != 9 || name[0] != (byte)'l')
            return false;
        leaf = BinaryPrimitives.ReadUInt64BigEndian(name[1..]);
        return true;
    }

    /// <summary>Reads the number out of a name made by <see cref="Handle"/> or <see cref="Ring"/>.</summary>
    public static bool TryReadNumbered(byte kind, ReadOnlySpan<byte> name, out uint number)
    {
        number = 0;
        if (name.Length != 5 || name[0] != kind)
            return false;
        number = BinaryPrimitives.ReadUInt32BigEndian(name[1..]);
        return true;
    }

    private static byte[] Numbered(byte kind, uint number)
    {
        var name = new byte[5];
        name[0] = kind;
        BinaryPrimitives.WriteUInt32BigEndian(name.AsSpan(1), number);
        return name;
    }
}
