using System.Globalization;
using System.Text;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore.Tests.Conformance;

public abstract class LayerConformance(StoreBackend backend) : StoreConformance(backend)
{
    [Fact]
    public async Task Only_the_fields_asked_for_are_loaded()
    {
        var (vmo, layer) = await CreateAsync();
        await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("l0", "a"), Field("l1", "b")));

        Assert.Equal(new() { ["l1"] = "b" }, (await LayerAsync(layer, "l1", "l2")).Fields);
        Assert.Empty((await LayerAsync(layer)).Fields);
        Assert.Equal(5, await Pages.CountFieldsAsync(layer, CancellationToken.None));
        Assert.Equal(0, await Pages.CountFieldsAsync(new(vmo, 9), CancellationToken.None));
    }

    [Fact]
    public async Task A_scan_finds_every_field_of_its_prefix()
    {
        var (vmo, layer) = await CreateAsync();
        const int batches = 5;
        for (var batch = 0; batch < batches; batch++)
        {
            var fields = Enumerable.Range(batch * 1000, 1000).Select(i => Field(string.Create(CultureInfo.InvariantCulture, $"l{i:d8}"), $"{i}")).ToArray();
            Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, (ulong)batch + 1, fields)));
        }

        var found = await AllAsync(Pages.ScanLayerAsync(layer, Bytes("l"), CancellationToken.None));

        Assert.Equal(
            Enumerable.Range(0, batches * 1000).Select(i => $"{i}"),
            found.DistinctBy(f => Encoding.UTF8.GetString(f.Name.Span)).Select(f => Encoding.UTF8.GetString(f.Value.Span)).OrderBy(int.Parse));
    }

    [Theory]
    [InlineData(new byte[] { (byte)'l', 0, 0, (byte)'*', (byte)'?', 0xff, (byte)'[', (byte)']', (byte)'\\' })]
    [InlineData(new byte[] { (byte)'l', (byte)'\\' })]
    [InlineData(new byte[] { (byte)'l', (byte)'[', (byte)'^', (byte)'a', (byte)']' })]
    [InlineData(new byte[] { (byte)'l', 0x80, 0, 10, 13 })]
    public async Task A_scans_prefix_may_be_any_bytes(byte[] prefix)
    {
        var (vmo, layer) = await CreateAsync();
        byte[] longer = [.. prefix, 1, 2];
        byte[][] others = [[(byte)'l', .. Enumerable.Repeat((byte)'x', 10)], [(byte)'l', 1, 1], [.. prefix[..^1], (byte)(prefix[^1] ^ 1), 1]];
        StoreField[] fields = [new(prefix, Bytes("same")), new(longer, Bytes("longer")), .. others.Select(o => new StoreField(o, Bytes("other")))];
        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, fields)));

        var found = await AllAsync(Pages.ScanLayerAsync(layer, prefix, CancellationToken.None));

        Assert.Equal(["longer", "same"], found.Select(f => Encoding.UTF8.GetString(f.Value.Span)).Order());
        Assert.Contains(found, f => f.Name.Span.SequenceEqual(longer));
    }

    [Fact]
    public async Task A_walk_over_the_keys_finds_every_layer_and_blob_and_nothing_else()
    {
        var standing = new HashSet<StoredKey>();
        for (var vmos = 0; vmos < 20; vmos++)
        {
            var (vmo, layer) = await CreateAsync();
            var blobs = Enumerable.Range(1, 100).Select(i => Blob(0xabc, (uint)i, [1])).ToArray();
            Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("l0", "a")) with { Blobs = blobs }));
            standing.UnionWith([new(layer, null), .. blobs.Select(blob => new StoredKey(layer, blob.Id))]);
        }

        var found = new HashSet<StoredKey>();
        for (KeyPlace? place = default(KeyPlace); place is { } at;)
        {
            var portion = await Pages.ListKeysAsync(at, CancellationToken.None);
            found.UnionWith(portion.Keys);
            place = portion.Next;
        }

        Assert.Equal(standing.Count, found.Count);
        Assert.Superset(standing, found);
    }

    [Fact]
    public async Task A_scan_of_a_layer_that_is_not_there_finds_nothing()
    {
        Assert.Empty(await AllAsync(Pages.ScanLayerAsync(new(new(4_711), 1), Bytes("l"), CancellationToken.None)));
    }

    [Fact]
    public async Task Marks_are_removed_by_the_owner_only()
    {
        var (vmo, layer) = await CreateAsync();
        await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("l0", "a"), Field("l1", "b")));

        Assert.False(await Pages.RemoveFieldsAsync(vmo, Second, CommitTarget.Layer, layer, 1, [Bytes("l0")], CancellationToken.None));
        Assert.Equal(2, (await LayerAsync(layer, "l0", "l1")).Fields.Count);
        Assert.True(await Pages.RemoveFieldsAsync(vmo, First, CommitTarget.Layer, layer, 1, [Bytes("l0"), Bytes("l7")], CancellationToken.None));

        Assert.Equal((2UL, "l1"), ((await LayerAsync(layer)).Seq, Assert.Single((await LayerAsync(layer, "l0", "l1")).Fields.Keys)));
    }

    [Fact]
    public async Task Marks_of_the_record_are_removed_too()
    {
        var (vmo, layer) = await CreateAsync();

        Assert.True(await Pages.RemoveFieldsAsync(vmo, First, CommitTarget.Record, layer, 1, [Bytes("meta")], CancellationToken.None));

        Assert.Equal(["top"], Texts((await Pages.LoadRecordAsync(vmo, CancellationToken.None)).Hash!.Fields).Keys);
        await Assert.ThrowsAsync<ArgumentException>(
            async () => await Pages.RemoveFieldsAsync(vmo, First, CommitTarget.Record, layer, 1, [Bytes("owner")], CancellationToken.None));
    }

    [Fact]
    public async Task A_cancelled_call_is_cancelled()
    {
        var (_, layer) = await CreateAsync();
        var cancelled = new CancellationToken(canceled: true);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await Pages.LoadLayerAsync(layer, [], cancelled));
    }
}
