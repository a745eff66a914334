using System.Buffers.Binary;
using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
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

    /// <summary>Pages from here on see nothing of the frozen layers below: the lowest size the VMO had since this layer was made.</summary>
    public ulong Low { get; set; } = ulong.MaxValue;

    /// <summary>Whether nothing was ever changed in it: freezing it would add a level and nothing else.</summary>
    public bool IsUntouched { get; set; }

    /// <summary>Whether what it shows lies partly in this layer, or in none of the own stack: a snapshot needs it frozen.</summary>
    public bool MustFreeze => !IsUntouched || (Below.Under == 0 && Below.Bases.Count > 0);

    /// <summary>What lies under this layer.</summary>
    public Below Below { get; set; } = Below.Nothing;

    /// <summary>Whom the layer names further down the line, as a hint.</summary>
    public Lineage Lineage { get; private init; } = Lineage.None;

    /// <summary>What a layer names whose next ancestor this one is, once it is frozen.</summary>
    public Lineage LineageOver => Lineage.Extended(Below.NextOf(Id.Home), 0);

    /// <summary>The layer that follows this one in the stack, once this one is frozen; 0 for the top.</summary>
    public uint Next { get; set; }
    public LayerCounts Counts { get; set; }

    /// <summary>The counter of the next blob of this activation.</summary>
    public uint NextBlob { get; set; } = 1;

    /// <summary>Blobs that no slot names and that may still stand in the store; the stored list when it says the same.</summary>
    public List<BlobId> Dead { get; set; } = [];

    /// <summary>How many of them, from the first on, are still to be unlinked before the owners before need not be remembered any more; 0: none is.</summary>
    public int FormersLeft { get; set; }
    public BlobUses Uses { get; } = new();

    /// <summary>
    /// Blobs of owners before that have lost a page while nobody knew how many slots still name them: each may be garbage. A count of the whole
    /// layer tells, and empties this. The stored list says the same, or more (<see cref="IsDoubtfulStale"/>).
    /// </summary>
    public HashSet<BlobId> Doubtful { get; } = [];

    /// <summary>The stored list says more: the next commit writes it anew.</summary>
    public bool IsDoubtfulStale { get; set; }

    public RequestRing Ring { get; private init; } = new();

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
    public static List<StoreField> NewFields(ulong size, ulong contentSize, ulong low, Below below, IReadOnlyCollection<Run> runs, Lineage lineage)
    {
        var fields = new List<StoreField> { new(FieldNames.Size, EncodeSize(size, contentSize, low)) };
        if (!below.IsNothing)
            fields.Add(new(FieldNames.Below, below.Encode()));
        if (runs.Count > 0)
            fields.Add(new(FieldNames.Runs, Run.Encode(runs)));
        if (lineage.Encode() is { Length: > 0 } line)
            fields.Add(new(FieldNames.Lineage, line));
        return fields;
    }

    /// <summary>The fields of the head, which is all that is loaded when a VMO is opened.</summary>
    public static IReadOnlyList<ReadOnlyMemory<byte>> Names { get; } =
    [
        FieldNames.Size, FieldNames.Runs, FieldNames.Count, FieldNames.Blob, FieldNames.Garbage, FieldNames.Doubtful, FieldNames.Below, FieldNames.Next, FieldNames.Lineage,
        .. Enumerable.Range(0, RequestRing.SlotCount).Select(slot => FieldNames.Ring((uint)slot)),
    ];

    /// <summary>A layer just created.</summary>
    public static LayerHead New(
        LayerId id, ulong seq, ulong size, ulong contentSize, ulong low, Below below, List<Run> runs, Lineage lineage, IMapBudget budget, RequestRing? ring = null)
    {
        var layer = new LayerHead(id, new(budget, runs, isEmpty: true)) { Lineage = lineage, Seq = seq, Size = size, ContentSize = contentSize, Low = low, Below = below, IsUntouched = runs.Count == 0, Ring = ring ?? new() };
        layer.Uses.IsComplete = true;
        return layer;
    }

    /// <summary>Reads a stored head. Damage throws <see cref="InvalidDataException"/>.</summary>
    /// <param name="id">The layer.</param>
    /// <param name="stored">Its fields <see cref="Names"/>.</param>
    /// <param name="formers">The owners before that the record remembers; null: nobody has left anything.</param>
    /// <param name="budget">For the map.</param>
    public static LayerHead Decode(LayerId id, StoredHash stored, IReadOnlyList<uint>? formers, IMapBudget budget)
    {
        var fields = stored.Fields.ToDictionary(field => System.Text.Encoding.Latin1.GetString(field.Name.Span), field => field.Value, StringComparer.Ordinal);
        ReadOnlySpan<byte> Value(ReadOnlyMemory<byte> name) =>
            fields.TryGetValue(System.Text.Encoding.Latin1.GetString(name.Span), out var value) ? value.Span : default;
        var layer = new LayerHead(id, new(budget, Run.Decode(Value(FieldNames.Runs)), isEmpty: false)) { Seq = stored.Seq, Lineage = Lineage.Hint(Value(FieldNames.Lineage)) };
        (layer.Size, layer.ContentSize, layer.Low) = DecodeSize(Value(FieldNames.Size));
        layer.Below = Below.Decode(Value(FieldNames.Below));
        layer.Next = Value(FieldNames.Next) is { Length: 4 } next ? BinaryPrimitives.ReadUInt32LittleEndian(next) : 0;
        layer.Counts = LayerCounts.Decode(Value(FieldNames.Count));
        layer.IsUntouched = Value(FieldNames.Count).IsEmpty && layer.Map.Runs.Count == 0;
        layer.Dead = DecodeBlobs(Value(FieldNames.Garbage));
        layer.Doubtful.UnionWith(DecodeBlobs(Value(FieldNames.Doubtful)));
        foreach (var field in stored.Fields)
        {
            if (FieldNames.TryReadNumbered((byte)'q', field.Name.Span, out var slot))
                layer.Ring.Load(slot, field.Value.Span);
        }

        if (formers is not null)
            layer.AddWrittenAhead(formers, Value(FieldNames.Blob));
        return layer;
    }

    public static byte[] EncodeSize(ulong size, ulong contentSize, ulong low)
    {
        var writer = new FieldWriter(24);
        writer.Byte(1);
        writer.Varint(size);
        writer.Varint(contentSize);
        writer.Varint(low);
        return writer.ToArray();
    }

    public static (ulong Size, ulong ContentSize, ulong Low) DecodeSize(ReadOnlySpan<byte> value)
    {
        var reader = new FieldReader(value);
        return reader.Byte() is var format and not 1
            ? throw new InvalidDataException($"a layer's size has format {format}, this is for format 1")
            : (reader.Varint(), reader.Varint(), reader.Varint());
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

    /// <summary>Numbers of layers, as stored.</summary>
    public static byte[] EncodeNumbers(IReadOnlyCollection<uint> numbers)
    {
        if (numbers.Count == 0)
            return [];
        var writer = new FieldWriter(8 + (4 * numbers.Count));
        writer.Byte(1);
        writer.Varint((ulong)numbers.Count);
        foreach (var number in numbers)
            writer.Varint(number);
        return writer.ToArray();
    }

    /// <summary>A layer's id, as stored.</summary>
    public static byte[] EncodeLayer(LayerId layer)
    {
        var writer = new FieldWriter(24);
        writer.Byte(1);
        writer.Varint(layer.Home.Value);
        writer.Varint(layer.Number);
        return writer.ToArray();
    }

    internal static LayerId? DecodeLayer(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return null;
        var reader = new FieldReader(value);
        return reader.Byte() is var format and not 1
            ? throw new InvalidDataException($"the name of a layer has format {format}, this is for format 1")
            : new(new(reader.Varint()), checked((uint)reader.Varint()));
    }

    internal static uint[] DecodeNumbers(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return [];
        var reader = new FieldReader(value);
        if (reader.Byte() is var format and not 1)
            throw new InvalidDataException($"a list of layers has format {format}, this is for format 1");
        var numbers = new uint[reader.Count()];
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = checked((uint)reader.Varint());
        return numbers;
    }

    internal static List<BlobId> DecodeBlobs(ReadOnlySpan<byte> value)
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

    /// <summary>The nonce of the last writer and its next counter; zero if nothing was written.</summary>
    internal static BlobId DecodeBlobCounter(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return default;
        var reader = new FieldReader(value);
        return reader.Byte() is var format and not 1
            ? throw new InvalidDataException($"a layer's blob counter has format {format}, this is for format 1")
            : new(reader.UInt32(), checked((uint)reader.Varint()));
    }

    // The owners before may have written the blobs of a commit that never came, whose counters ran on from the one stored: only we, a later
    // owner, know that nothing will ever name them. Whoever committed last may have done so, and everyone who has owned it since, without a commit or unlink of his own.
    private void AddWrittenAhead(IReadOnlyList<uint> formers, ReadOnlySpan<byte> stored)
    {
        var last = DecodeBlobCounter(stored);
        if (last.Nonce != 0)
            AddNames(last.Nonce, last.Counter);
        foreach (var nonce in StoredHash.After(formers, last.Nonce))
            AddNames(nonce, 1);
        FormersLeft = formers.Count > 0 ? Dead.Count : 0;
    }

    private void AddNames(uint nonce, uint first)
    {
        for (var i = 0u; i < LayerBatch.BlobsMax; i++)
            Dead.Add(new(nonce, first + i));
    }
}
