using VmoCluster.Core.Encoding;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Contents;

/// <summary>
/// A leaf as stored: format, two bits of state a page, the distinct (blob, version, pages) it names, then for each page that is not absent
/// the number of its entry, and for stored data its index and checksum. A leaf written in one commit takes about 130 bytes, one of sixteen
/// scattered writes about 370. An empty value is the mark of an empty leaf.
/// </summary>
public static class LeafCodec
{
    private const byte Format = 1;

    public static byte[] Encode(Leaf leaf)
    {
        if (leaf.IsEmpty)
            return [];
        var states = 0u;
        Span<(BlobId Blob, ulong Version, byte Pages)> entries = stackalloc (BlobId, ulong, byte)[Limits.LeafPages];
        Span<byte> entryOf = stackalloc byte[Limits.LeafPages];
        var count = 0;
        for (var i = 0; i < Limits.LeafPages; i++)
        {
            var slot = leaf[i];
            states |= (uint)slot.State << (2 * i);
            if (slot.IsAbsent)
                continue;
            var entry = entries[..count].IndexOf((slot.Blob, slot.Version, slot.BlobPages));
            if (entry < 0)
            {
                entry = count++;
                entries[entry] = (slot.Blob, slot.Version, slot.BlobPages);
            }

            entryOf[i] = (byte)entry;
        }

        var writer = new FieldWriter(384);
        writer.Byte(Format);
        writer.UInt32(states);
        writer.Byte((byte)count);
        foreach (var (blob, version, pages) in entries[..count])
        {
            writer.UInt32(blob.Nonce);
            writer.Varint(blob.Counter);
            writer.Varint(version);
            writer.Byte(pages);
        }

        for (var i = 0; i < Limits.LeafPages; i++)
        {
            var slot = leaf[i];
            if (slot.IsAbsent)
                continue;
            writer.Byte(entryOf[i]);
            if (slot.IsStored)
            {
                writer.Byte(slot.Index);
                writer.UInt32(slot.Checksum);
            }
        }

        return writer.ToArray();
    }

    /// <summary>Reads a stored leaf; null for the mark of an empty one. Damage throws <see cref="InvalidDataException"/>.</summary>
    public static Leaf? Decode(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return null;
        var reader = new FieldReader(value);
        var format = reader.Byte();
        if (format != Format)
            throw new InvalidDataException($"a leaf has format {format}, this is for format {Format}");
        var states = reader.UInt32();
        var count = reader.Byte();
        if (count > Limits.LeafPages)
            throw new InvalidDataException($"a leaf of {Limits.LeafPages} pages names {count} blobs");
        Span<(BlobId Blob, ulong Version, byte Pages)> entries = stackalloc (BlobId, ulong, byte)[count];
        for (var i = 0; i < count; i++)
            entries[i] = (new(reader.UInt32(), checked((uint)reader.Varint())), reader.Varint(), reader.Byte());
        var leaf = new Leaf();
        for (var i = 0; i < Limits.LeafPages; i++)
        {
            var state = (SlotState)((states >> (2 * i)) & 3);
            if (state == SlotState.Absent)
                continue;
            var entry = reader.Byte();
            if (entry >= count)
                throw new InvalidDataException($"a leaf's page names entry {entry} of {count}");
            var (blob, version, pages) = entries[entry];
            var slot = new Slot(state, version, blob, 0, pages, 0);
            leaf[i] = slot.IsStored ? slot with { Index = reader.Byte(), Checksum = reader.UInt32() } : slot;
        }

        return leaf;
    }
}
