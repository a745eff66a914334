using VmoCluster.Core.Store;

namespace VmoCluster.PageStore.Tests.Conformance;

public abstract class BlobConformance(StoreBackend backend) : StoreConformance(backend)
{
    private const int LargestBytes = 16 + (Limits.BlobPagesMax * (Limits.PageBytes + 8));

    [Fact]
    public async Task A_blob_written_in_pieces_is_read_in_others()
    {
        var (vmo, layer) = await CreateAsync();
        var bytes = Noise(LargestBytes);
        var blob = Blob(0xabc, 0xdef, bytes[..16], bytes[16..5000], bytes[5000..]);
        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("l0", "x")) with { Blobs = [blob] }));

        Assert.Equal(bytes, await ReadBlobAsync(layer, blob.Id, 0, bytes.Length));
        Assert.Equal(bytes[4112..8208], await ReadBlobAsync(layer, blob.Id, 4112, 4096));
        Assert.Equal(bytes[100..100_100], await ReadBlobAsync(layer, blob.Id, 100, 100_000));
        Assert.Equal(bytes[^1..], await ReadBlobAsync(layer, blob.Id, bytes.Length - 1, 1));
    }

    [Fact]
    public async Task Many_parts_are_read_in_one_call_whatever_their_order()
    {
        var (vmo, layer) = await CreateAsync();
        var blobs = Enumerable.Range(1, 20).Select(i => (Id: new BlobId(5, (uint)i), Bytes: Noise(65_520, i))).ToArray();
        var writes = Array.ConvertAll(blobs, b => new BlobWrite(b.Id, [b.Bytes]));
        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("l0", "x")) with { Blobs = writes }));

        // Neighbours, strays, overlaps, and backwards.
        var wanted = (from i in Enumerable.Range(0, 20) from page in new[] { 0, 1, 2, 9, 8, 1 } select (Blob: i, Offset: 16 + (page * 4096))).ToArray();
        var reads = Array.ConvertAll(wanted, w => new BlobRead(layer, blobs[w.Blob].Id, w.Offset, new byte[4096]));
        var found = await Pages.ReadBlobsAsync(reads, CancellationToken.None);

        Assert.All(found, Assert.True);
        for (var i = 0; i < wanted.Length; i++)
            Assert.Equal(blobs[wanted[i].Blob].Bytes.AsSpan(wanted[i].Offset, 4096), reads[i].Destination.Span);
    }

    [Fact]
    public async Task A_missing_or_short_blob_is_told_by_its_index()
    {
        var (vmo, layer) = await CreateAsync();
        var bytes = Noise(6000);
        await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("l0", "x")) with { Blobs = [Blob(1, 1, bytes)] });
        BlobRead Read(uint counter, int offset, int length) => new(layer, new(1, counter), offset, new byte[length]);

        var found = await Pages.ReadBlobsAsync(
            [Read(1, 0, 4096), Read(1, 4096, 4096), Read(2, 0, 4096), Read(1, 7000, 1), Read(1, 5999, 1), Read(3, 0, 200_000), Read(1, 0, 200_000)], CancellationToken.None);

        Assert.Equal([true, false, false, false, true, false, false], found);
        Assert.Empty(await Pages.ReadBlobsAsync([], CancellationToken.None));
    }

    [Fact]
    public async Task More_than_a_flight_is_read()
    {
        var (vmo, layer) = await CreateAsync();
        var bytes = Noise(LargestBytes);
        var writes = Enumerable.Range(1, 16).Select(i => Blob(6, (uint)i, bytes)).ToArray();
        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("l0", "x")) with { Blobs = writes }));

        var reads = Enumerable.Range(0, 64).Select(i => new BlobRead(layer, new(6, (uint)(i % 16) + 1), 16, new byte[Limits.BlobPagesMax * Limits.PageBytes])).ToArray();
        var found = await Pages.ReadBlobsAsync(reads, CancellationToken.None);

        Assert.All(found, Assert.True);
        Assert.All(reads, read => Assert.True(bytes.AsSpan(16, read.Destination.Length).SequenceEqual(read.Destination.Span)));
    }

    [Fact]
    public async Task Unlinked_blobs_are_gone_and_counted()
    {
        var (vmo, layer) = await CreateAsync();
        var writes = Enumerable.Range(1, 600).Select(i => Blob(2, (uint)i, [1, 2, 3])).ToArray();
        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("l0", "x")) with { Blobs = writes }));

        var unlinked = await Pages.UnlinkBlobsAsync(
            Fence(vmo, layer), layer, [.. writes.Skip(1).Select(w => w.Id), new(77, 77), BlobId.Zero], areFormersDone: false, CancellationToken.None);

        Assert.Equal(599, unlinked);
        Assert.Equal([1, 2, 3], await ReadBlobAsync(layer, writes[0].Id, 0, 3));
        Assert.Null(await ReadBlobAsync(layer, writes[1].Id, 0, 3));
        Assert.Equal(0, await Pages.UnlinkBlobsAsync(Fence(vmo, layer), layer, [], areFormersDone: false, CancellationToken.None));
    }

    [Fact]
    public async Task Blobs_of_a_stale_commit_do_not_stay()
    {
        var (vmo, layer) = await CreateAsync();
        var ahead = Blob(3, 1, [9]);

        Assert.Equal(CommitOutcome.Stale, await Pages.CommitAsync(LayerCommit(vmo, layer, 5, Field("l0", "x")) with { Blobs = [ahead] }));

        // Sent over the connection that has unlinked it.
        Assert.Equal(0, await Pages.UnlinkBlobsAsync(Fence(vmo, layer), layer, [ahead.Id], areFormersDone: false, CancellationToken.None));
        Assert.Null(await ReadBlobAsync(layer, ahead.Id, 0, 1));
    }

    [Fact]
    public async Task A_store_that_lost_commits_its_owner_has_seen_frees_nothing_for_it()
    {
        // Its slot may name the blob that a commit it has lost had replaced.
        var (vmo, layer) = await CreateAsync();
        var blob = Blob(2, 1, [1, 2, 3]);
        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("l0", "x")) with { Blobs = [blob] }));
        foreach (var ahead in new[] { Fence(vmo, layer) with { TopSeq = 3 }, Fence(vmo, layer) with { RecordSeq = 2 }, Fence(vmo, layer) with { Owner = Second } })
            await Assert.ThrowsAsync<StoreException>(async () => await Pages.UnlinkBlobsAsync(ahead, layer, [blob.Id], areFormersDone: false, CancellationToken.None));
        Assert.False(await Pages.RemoveFieldsAsync(vmo, First, CommitTarget.Layer, layer, 3, ["l0"u8.ToArray()], CancellationToken.None));

        Assert.Equal([1, 2, 3], await ReadBlobAsync(layer, blob.Id, 0, 3));
        Assert.Equal(1, await Pages.UnlinkBlobsAsync(Fence(vmo, layer) with { TopSeq = 2 }, layer, [blob.Id], areFormersDone: false, CancellationToken.None));
        Assert.True(await Pages.RemoveFieldsAsync(vmo, First, CommitTarget.Layer, layer, 2, ["l0"u8.ToArray()], CancellationToken.None));
    }

    [Fact]
    public async Task A_VMOs_end_leaves_no_key_but_the_tombstone()
    {
        var (vmo, layer) = await CreateAsync();
        var blob = Blob(3, 1, Noise(5000));
        await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("l0", "x")) with { Blobs = [blob] });

        await Pages.UnlinkBlobsAsync(Fence(vmo, layer), layer, [blob.Id], areFormersDone: false, CancellationToken.None);
        await Pages.EraseAsync(vmo, First, [layer], [Field("q0", "a")], CancellationToken.None);

        var left = new List<string>();
        foreach (var node in Store.Membership.GetServers())
        {
            await foreach (var key in node.KeysAsync(pattern: Options.KeyPrefix + "*"))
                left.Add(((string)key!)[Options.KeyPrefix.Length..]);
        }

        Assert.Equal(["koids", "store", $"{{{vmo}}}:t", "{sessions}"], left.Order(StringComparer.Ordinal));
    }

    private static StoreFence Fence(Koid vmo, LayerId layer) => new(vmo, First, 1, layer, 1);

    private static byte[] Noise(int length, int seed = 1)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
