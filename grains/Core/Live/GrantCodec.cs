using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Live;

/// <summary>A grant, and what an extent shows, as they travel from silo to silo.</summary>
public static class GrantCodec
{
    /// <summary>The grant that an answer brings, to be accepted.</summary>
    public static Grant GrantOf(Koid vmo, ulong extent, ulong session, GrantReply reply) => new()
    {
        Vmo = vmo, Area = GrantArea.Around(extent, reply.Order), Session = session, Shown = Decode(reply.Shown), Size = reply.Size, Parent = reply.Parent, ParentOffset = reply.ParentOffset,
        ParentEnd = reply.ParentEnd, Lineage = Lineage.Hint(reply.Lineage),
    };

    /// <summary>A gone blob as a call says it.</summary>
    public static (ulong Home, uint Number, uint Nonce, uint Counter) Told(GoneBlob gone) =>
        (gone.Layer.Home.Value, gone.Layer.Number, gone.Blob.Nonce, gone.Blob.Counter);

    /// <summary>The gone blob that a call says.</summary>
    public static GoneBlob GoneOf((ulong Home, uint Number, uint Nonce, uint Counter) told) =>
        new(new(new(told.Home), told.Number), new(told.Nonce, told.Counter));

    public static byte[] Encode(FrozenExtent shown)
    {
        var writer = new FieldWriter(64);
        for (var i = 0ul; i < Limits.ExtentPages; i++)
        {
            var page = shown[i];
            writer.Byte((byte)page.Slot.State);
            if (page.IsNothing)
                continue;
            writer.Varint(page.Layer.Home.Value);
            writer.Varint(page.Layer.Number);
            writer.Varint(page.Slot.Version);
            writer.UInt32(page.Slot.Blob.Nonce);
            writer.Varint(page.Slot.Blob.Counter);
            writer.Byte(page.Slot.Index);
            writer.Byte(page.Slot.BlobPages);
            writer.UInt32(page.Slot.Checksum);
        }

        return writer.ToArray();
    }

    public static FrozenExtent Decode(ReadOnlySpan<byte> value)
    {
        var reader = new FieldReader(value);
        var builder = new FrozenExtent.Builder();
        for (var i = 0; i < Limits.ExtentPages; i++)
        {
            var state = (SlotState)reader.Byte();
            if (state == SlotState.Absent)
                continue;
            var layer = new LayerId(new(reader.Varint()), checked((uint)reader.Varint()));
            var version = reader.Varint();
            var blob = new BlobId(reader.UInt32(), checked((uint)reader.Varint()));
            builder.Set(i, new(layer, new(state, version, blob, reader.Byte(), reader.Byte(), reader.UInt32())));
        }

        return builder.Build();
    }
}
