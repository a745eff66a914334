using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Requests;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Machine;

/// <summary>The top layer in memory. Changed only by publishing a commit of it.</summary>
internal sealed class LayerHead
{
    private LayerHead(LayerId id, LayerMap map)
    {
        Id = id;
        Map = map;
    }

    public LayerId Id { get; }
    public LayerMap Map { get; }
    public ulong Seq { get; set; }

    /// <summary>Bytes, a multiple of the page. Every slot lies below.</summary>
    public ulong Size { get; set; }
    public ulong ContentSize { get; set; }
    public LayerCounts Counts { get; set; }

    /// <summary>The counter of the next blob of this activation.</summary>
    public uint NextBlob { get; set; } = 1;

    /// <summary>Blobs that no slot names and that may still stand in the store; the stored list when it says the same.</summary>
    public List<BlobId> Dead { get; set; } = [];
    public BlobUses Uses { get; } = new();
    public RequestRing Ring { get; } = new();

    /// <summary>Leaves whose stored form has slots that a clearing run has killed.</summary>
    public HashSet<ulong> DirtyInStore { get; } = [];

    /// <summary>Leaves stored as marks of nothing.</summary>
    public HashSet<ulong> Marks { get; } = [];

    /// <summary>Pages committed: data, and what committed runs speak for.</summary>
    public ulong CommittedPages
    {
        get
        {
            var pages = Counts.Data - Counts.Covered;
            foreach (var run in Map.Runs)
                pages += run.IsCommitted ? run.Range.Count : 0;
            return pages;
        }
    }

    /// <summary>The fields a new layer begins with.</summary>
    public static List<StoreField> NewFields(ulong size, ulong contentSize) =>
    [
        new(FieldNames.Size, EncodeSize(size, contentSize)),
    ];

    /// <summary>The fields of the head, which is all that is loaded when a VMO is opened.</summary>
    public static IReadOnlyList<ReadOnlyMemory<byte>> Names { get; } =
    [
        FieldNames.Size, FieldNames.Runs, FieldNames.Count, FieldNames.Blob, FieldNames.Garbage,
        .. Enumerable.Range(0, RequestRing.SlotCount).Select(slot => FieldNames.Ring((uint)slot)),
    ];

    /// <summary>A layer just created.</summary>
    public static LayerHead New(LayerId id, ulong size, ulong contentSize, IMapBudget budget)
    {
        var layer = new LayerHead(id, new(budget, [], isEmpty: true)) { Seq = 1, Size = size, ContentSize = contentSize };
        layer.Uses.IsComplete = true;
        return layer;
    }

    /// <summary>Reads a stored head. Damage throws <see cref="InvalidDataException"/>.</summary>
    public static LayerHead Decode(LayerId id, StoredHash stored, Owner previous, IMapBudget budget)
    {
        var fields = stored.Fields.ToDictionary(field => System.Text.Encoding.Latin1.GetString(field.Name.Span), field => field.Value, StringComparer.Ordinal);
        ReadOnlySpan<byte> Value(ReadOnlyMemory<byte> name) =>
            fields.TryGetValue(System.Text.Encoding.Latin1.GetString(name.Span), out var value) ? value.Span : default;
        var layer = new LayerHead(id, new(budget, Run.Decode(Value(FieldNames.Runs)), isEmpty: false)) { Seq = stored.Seq };
        var size = new FieldReader(Value(FieldNames.Size));
        if (size.Byte() is var format and not 1)
            throw new InvalidDataException($"a layer's size has format {format}, this is for format 1");
        layer.Size = size.Varint();
        layer.ContentSize = size.Varint();
        layer.Counts = LayerCounts.Decode(Value(FieldNames.Count));
        layer.Dead = DecodeBlobs(Value(FieldNames.Garbage));
        foreach (var field in stored.Fields)
        {
            if (FieldNames.TryReadNumbered((byte)'q', field.Name.Span, out var slot))
                layer.Ring.Load(slot, field.Value.Span);
        }

        layer.AddWrittenAhead(previous, Value(FieldNames.Blob));
        return layer;
    }

    public static byte[] EncodeSize(ulong size, ulong contentSize)
    {
        var writer = new FieldWriter(24);
        writer.Byte(1);
        writer.Varint(size);
        writer.Varint(contentSize);
        return writer.ToArray();
    }

    public static byte[] EncodeBlobCounter(uint nonce, uint next)
    {
        var writer = new FieldWriter(16);
        writer.Byte(1);
        writer.UInt32(nonce);
        writer.Varint(next);
        return writer.ToArray();
    }

    public static byte[] EncodeBlobs(IReadOnlyCollection<BlobId> blobs)
    {
        if (blobs.Count == 0)
            return [];
        var writer = new FieldWriter(8 + (8 * blobs.Count));
        writer.Byte(1);
        writer.Varint((ulong)blobs.Count);
        foreach (var blob in blobs)
        {
            writer.UInt32(blob.Nonce);
            writer.Varint(blob.Counter);
        }

        return writer.ToArray();
    }

    private static List<BlobId> DecodeBlobs(ReadOnlySpan<byte> value)
    {
        var blobs = new List<BlobId>();
        if (value.IsEmpty)
            return blobs;
        var reader = new FieldReader(value);
        if (reader.Byte() is var format and not 1)
            throw new InvalidDataException($"a list of blobs has format {format}, this is for format 1");
        for (var left = reader.Count(); left > 0; left--)
            blobs.Add(new(reader.UInt32(), checked((uint)reader.Varint())));
        return blobs;
    }

    // The owner before may have written the blobs of one commit that never came. Its counters ran on from the one stored, by at most the
    // blobs of one commit: only we, a later owner, know that nothing will ever name them.
    private void AddWrittenAhead(Owner previous, ReadOnlySpan<byte> stored)
    {
        if (previous.Nonce == 0)
            return;
        var first = 1u;
        if (!stored.IsEmpty)
        {
            var reader = new FieldReader(stored);
            reader.Byte();
            var nonce = reader.UInt32();
            var next = checked((uint)reader.Varint());
            if (nonce == previous.Nonce)
                first = next;
        }

        for (var i = 0u; i < LayerBatch.BlobsMax; i++)
            Dead.Add(new(previous.Nonce, first + i));
    }
}
