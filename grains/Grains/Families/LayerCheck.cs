using System.Buffers.Binary;
using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Store;

namespace VmoCluster.Grains.Families;

/// <summary>
/// Looks at what one layer holds: its leaves against the sums in its head, and every blob that a slot names: whether it is there, whole, and,
/// if asked for, whether each page has the bytes its slot speaks of.
/// </summary>
internal sealed class LayerCheck(IPageStore store, FamilyReader reader, LayerSummary layer, bool isFirst, PageWindow? window, CancellationToken cancellation)
{
    private const int PagesAtOnce = 256;
    private readonly Dictionary<ulong, Leaf> _leaves = [];
    private readonly List<Finding> _findings = [];

    /// <summary>Blobs looked at.</summary>
    public long Checked { get; private set; }

    public async Task<List<Finding>> FindAsync()
    {
        await foreach (var portion in store.ScanLayerAsync(layer.Id, FieldNames.LeafPrefix, cancellation))
        {
            foreach (var field in portion)
                Take(field);
        }

        var slots = new List<(ulong Page, Slot Slot)>();
        foreach (var (number, leaf) in _leaves.OrderBy(leaf => leaf.Key))
        {
            for (var i = 0; i < Limits.LeafPages; i++)
            {
                if (leaf[i].IsStored)
                    slots.Add(((number * Limits.LeafPages) + (ulong)i, leaf[i]));
            }
        }

        if (isFirst)
        {
            CheckLineage();
            // Between two commits the sums are exact. A layer that changed meanwhile is looked at another time.
            if (await reader.LayerAsync(layer.Id) is { } now && now.Seq == layer.Seq)
                Count();
            foreach (var portion in slots.DistinctBy(slot => slot.Slot.Blob).Chunk(PagesAtOnce))
                await ReadBlobsAsync(portion);
        }

        byte[]? buffer = null;
        foreach (var portion in window is null ? [] : slots.Chunk(PagesAtOnce))
        {
            if (window!.Next())
                await ReadPagesAsync(portion, buffer ??= new byte[PagesAtOnce * Limits.PageBytes]);
        }

        return _findings;
    }

    private void Take(StoreField field)
    {
        if (!FieldNames.TryReadLeaf(field.Name.Span, out var number))
            return;
        try
        {
            _leaves.Remove(number);
            if (LeafCodec.Decode(field.Value.Span) is { } leaf)
                _leaves[number] = Runs.Clean(layer.Runs, number, leaf);
        }
        catch (Exception exception) when (exception is InvalidDataException or ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            Find("damaged", $"leaf {number}", $"leaf {number} of layer {layer.Id} cannot be read: {exception.Message}");
        }
    }

    private void CheckLineage()
    {
        try
        {
            Lineage.Decode(layer.StoredLineage.Span);
        }
        catch (InvalidDataException exception)
        {
            Find("damaged", "anc", $"the lineage of layer {layer.Id} cannot be read: {exception.Message}");
        }
    }

    private void Count()
    {
        var (data, stored, covered) = (0ul, 0ul, 0ul);
        foreach (var (number, leaf) in _leaves)
        {
            for (var i = 0; i < Limits.LeafPages; i++)
            {
                var (slot, page) = (leaf[i], (number * Limits.LeafPages) + (ulong)i);
                data += slot.State == SlotState.Data ? 1u : 0;
                stored += slot.IsStored ? 1u : 0;
                covered += !slot.IsAbsent && Runs.Lying(layer.Runs, page) == RunKind.Committed ? 1u : 0;
            }
        }

        var counts = layer.Counts;
        if ((data, stored, covered) != (counts.Data, counts.Stored, counts.Covered))
        {
            Find("count", "sums", $"layer {layer.Id} says {counts.Data} pages of data, {counts.Stored} with bytes, {counts.Covered} in committed runs; its leaves say {data}, {stored}, {covered}");
        }
    }

    // A blob is whole when its header and the end of its trailer are there.
    private async Task ReadBlobsAsync((ulong Page, Slot Slot)[] slots)
    {
        var reads = new List<BlobRead>(2 * slots.Length);
        foreach (var (_, slot) in slots)
        {
            reads.Add(new(layer.Id, slot.Blob, 0, new byte[BlobLayout.HeaderBytes]));
            reads.Add(new(layer.Id, slot.Blob, BlobLayout.BytesOf(slot.BlobPages) - 8, new byte[8]));
        }

        Checked += slots.Length;
        var found = await store.ReadBlobsAsync(reads, cancellation);
        for (var i = 0; i < slots.Length; i++)
        {
            var (page, slot) = slots[i];
            if (!found[2 * i] || !found[(2 * i) + 1])
                Find("missing-blob", $"blob {slot.Blob}", $"blob {slot.Blob} of layer {layer.Id}, which page {page} names, is not there or cut short");
            else if (!IsHeaderOf(slot, reads[2 * i].Destination.Span))
                Find("damaged", $"blob {slot.Blob}", $"blob {slot.Blob} of layer {layer.Id}, which page {page} names, does not begin as it should");
        }
    }

    // A page that is not there is its blob's loss, and told as that.
    private async Task ReadPagesAsync((ulong Page, Slot Slot)[] slots, byte[] buffer)
    {
        var reads = slots.Select((slot, i) => new BlobRead(
            layer.Id, slot.Slot.Blob, BlobLayout.OffsetOf(slot.Slot.Index), buffer.AsMemory(i * Limits.PageBytes, Limits.PageBytes))).ToArray();
        var found = await store.ReadBlobsAsync(reads, cancellation);
        for (var i = 0; i < slots.Length; i++)
        {
            var (page, slot) = slots[i];
            if (found[i] && BlobLayout.Checksum(reads[i].Destination.Span) != slot.Checksum)
                Find("checksum", $"page {page}", $"page {page} of layer {layer.Id} has other bytes in blob {slot.Blob} than were written");
        }
    }

    private static bool IsHeaderOf(Slot slot, ReadOnlySpan<byte> header) =>
        header[0] == 'V' && header[1] == 'B' && header[2] == 1 && header[3] == slot.BlobPages
        && BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) == slot.Blob.Nonce && BinaryPrimitives.ReadUInt32LittleEndian(header[8..]) == slot.Blob.Counter;

    private void Find(string what, string subject, string detail) => _findings.Add(new(layer.Id.Home, what, $"{layer.Id} {subject}", detail));
}
