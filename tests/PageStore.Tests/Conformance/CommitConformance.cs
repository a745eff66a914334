using VmoCluster.Core.Store;

namespace VmoCluster.PageStore.Tests.Conformance;

public abstract class CommitConformance(StoreBackend backend) : StoreConformance(backend)
{
    [Fact]
    public async Task A_commit_sets_its_fields_and_moves_seq_by_one()
    {
        var (vmo, layer) = await CreateAsync();

        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("size", "4096"), Field("l0", "slots"))));

        var (seq, fields) = await LayerAsync(layer, "size", "l0", "l1");
        Assert.Equal(2UL, seq);
        Assert.Equal(new() { ["size"] = "4096", ["l0"] = "slots" }, fields);
    }

    [Fact]
    public async Task A_commit_of_the_record_leaves_the_layer_alone()
    {
        var (vmo, layer) = await CreateAsync();

        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(RecordCommit(vmo, default, 1, Field("name", "n"))));

        var record = (await Pages.LoadRecordAsync(vmo, CancellationToken.None)).Hash!;
        Assert.Equal((First, 2UL), (record.Owner, record.Seq));
        Assert.Equal("n", Texts(record.Fields)["name"]);
        Assert.Equal(1UL, (await LayerAsync(layer)).Seq);
    }

    [Fact]
    public async Task A_former_owner_is_fenced()
    {
        var (vmo, layer) = await CreateAsync();
        await Pages.TakeOverAsync(vmo, First, Second, leftBy: 0, CancellationToken.None);

        Assert.Equal(CommitOutcome.Fenced, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("size", "1"))));
        Assert.Equal(CommitOutcome.Fenced, await Pages.CommitAsync(RecordCommit(vmo, layer, 1, Field("name", "1"))));
        Assert.Equal(CommitOutcome.Fenced, (await Pages.SettleAsync(vmo, First, CommitTarget.Layer, layer, 1)).Outcome);
        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("size", "2")) with { Owner = Second }));

        Assert.Equal("2", (await LayerAsync(layer, "size")).Fields["size"]);
    }

    [Fact]
    public async Task What_a_fenced_commit_brought_does_not_stay()
    {
        var (vmo, layer) = await CreateAsync();
        await Pages.TakeOverAsync(vmo, First, Second, leftBy: 0, CancellationToken.None);
        var blob = new BlobId(First.Nonce, 1);

        Assert.Equal(CommitOutcome.Fenced, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("size", "1")) with { Blobs = [new(blob, [new byte[5000]])] }));

        // Answered over the connection that has unlinked it.
        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("size", "2")) with { Owner = Second }));
        Assert.Equal(new[] { false }, await Pages.ReadBlobsAsync([new(layer, blob, 0, new byte[5000])], CancellationToken.None));
    }

    [Fact]
    public async Task A_commit_of_a_VMO_that_is_gone_is_fenced()
    {
        var (vmo, layer) = await CreateAsync();
        await Pages.EraseAsync(vmo, First, [layer], [], CancellationToken.None);

        Assert.Equal(CommitOutcome.Fenced, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("size", "1"))));
        Assert.Null(await Pages.LoadLayerAsync(layer, [], CancellationToken.None));
    }

    [Fact]
    public async Task A_repeated_commit_is_stale()
    {
        var (vmo, layer) = await CreateAsync();
        var commit = LayerCommit(vmo, layer, 1, Field("size", "1"));

        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(commit));
        Assert.Equal(CommitOutcome.Stale, await Pages.CommitAsync(commit));
        Assert.Equal(CommitOutcome.Stale, await Pages.CommitAsync(commit with { Seq = 3 }));

        Assert.Equal(2UL, (await LayerAsync(layer)).Seq);
    }

    [Fact]
    public async Task A_commit_to_a_layer_that_is_not_there_is_stale()
    {
        var (vmo, _) = await CreateAsync();

        Assert.Equal(CommitOutcome.Stale, await Pages.CommitAsync(LayerCommit(vmo, new(vmo, 2), 1, Field("size", "1"))));
        Assert.Null(await Pages.LoadLayerAsync(new(vmo, 2), [], CancellationToken.None));
    }

    [Fact]
    public async Task Commits_sent_together_are_applied_in_their_order()
    {
        var (vmo, layer) = await CreateAsync();

        var outcomes = await Task.WhenAll(Enumerable.Range(1, 50)
            .Select(i => Pages.CommitAsync(LayerCommit(vmo, layer, (ulong)i, Field("size", $"{i}")) with { Blobs = [Blob(1, (uint)i, new byte[5000])] }).AsTask()).ToArray());

        Assert.All(outcomes, outcome => Assert.Equal(CommitOutcome.Applied, outcome));
        Assert.Equal("50", (await LayerAsync(layer, "size")).Fields["size"]);
    }

    [Fact]
    public async Task Of_commits_with_one_seq_one_is_applied()
    {
        var (vmo, layer) = await CreateAsync();

        var outcomes = await Task.WhenAll(Enumerable.Range(1, 16).Select(async i => await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("size", $"{i}")))));

        var winner = Assert.Single(Enumerable.Range(0, 16), i => outcomes[i] == CommitOutcome.Applied);
        Assert.All(outcomes.Where((_, i) => i != winner), outcome => Assert.Equal(CommitOutcome.Stale, outcome));
        Assert.Equal($"{winner + 1}", (await LayerAsync(layer, "size")).Fields["size"]);
    }

    [Fact]
    public async Task The_largest_commit_goes_through()
    {
        var (vmo, layer) = await CreateAsync();
        var fields = Enumerable.Range(0, Limits.CommitLeavesMax).Select(i => Field($"l{i}", new string('x', 300))).ToArray();
        var blobs = Enumerable.Range(1, Limits.CommitBytesMax / Limits.PageBytes).Select(i => Blob(9, (uint)i, new byte[Limits.PageBytes + 24])).ToArray();

        var outcome = await Pages.CommitAsync(LayerCommit(vmo, layer, 1, fields) with { Blobs = blobs });

        Assert.Equal(CommitOutcome.Applied, outcome);
        Assert.Equal(fields.Length + 3, await Pages.CountFieldsAsync(layer, CancellationToken.None));
    }

    [Fact]
    public async Task A_settled_target_refuses_the_late_commit()
    {
        var (vmo, layer) = await CreateAsync();
        var late = LayerCommit(vmo, layer, 1, Field("size", "late"));

        var settled = await Pages.SettleAsync(vmo, First, CommitTarget.Layer, layer, 1);

        Assert.Equal(new(CommitOutcome.Applied, HasTakenEffect: false, 3), settled);
        Assert.Equal(CommitOutcome.Stale, await Pages.CommitAsync(late));
        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(late with { Seq = 3, Fields = [Field("size", "next")] }));
        Assert.Equal("next", (await LayerAsync(layer, "size")).Fields["size"]);
    }

    [Fact]
    public async Task Settling_tells_that_the_commit_had_been_applied()
    {
        var (vmo, layer) = await CreateAsync();
        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("size", "1"))));

        Assert.Equal(new(CommitOutcome.Applied, HasTakenEffect: true, 2), await Pages.SettleAsync(vmo, First, CommitTarget.Layer, layer, 1));
        Assert.Equal(new(CommitOutcome.Applied, HasTakenEffect: false, 3), await Pages.SettleAsync(vmo, First, CommitTarget.Record, layer, 1));
        Assert.Equal(new(CommitOutcome.Refused), await Pages.SettleAsync(vmo, First, CommitTarget.Layer, new(vmo, 2), 1));
    }

    // The first answer was lost: a commit that never came was taken for applied by the second, for it found seq moved on.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whoever_settles_again_is_told_the_same(bool isApplied)
    {
        var (vmo, layer) = await CreateAsync();
        if (isApplied)
            Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("size", "1"))));

        for (var times = 0; times < 3; times++)
            Assert.Equal(new(CommitOutcome.Applied, isApplied, isApplied ? 2ul : 3), await Pages.SettleAsync(vmo, First, CommitTarget.Layer, layer, 1));
    }

    [Fact]
    public async Task A_commit_that_others_have_gone_past_is_not_settled()
    {
        var (vmo, layer) = await CreateAsync();
        for (var seq = 1ul; seq <= 3; seq++)
            Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, seq, Field("size", "1"))));

        Assert.Equal(new(CommitOutcome.Stale), await Pages.SettleAsync(vmo, First, CommitTarget.Layer, layer, 1));
        Assert.Equal(4ul, (await LayerAsync(layer)).Seq);
    }

    [Fact]
    public async Task A_commit_whose_blob_is_missing_changes_nothing()
    {
        // From outside a SET cannot be made to fail without the script behind it (but see FullStoreTests): the script is asked itself.
        var (vmo, layer) = await CreateAsync();
        var database = Store.Membership.GetDatabase();
        var tag = $"{Options.KeyPrefix}{{{vmo}}}";

        var answer = await database.ScriptEvaluateAsync(
            CommitScript(), [$"{tag}:v", $"{tag}:l:1", $"{tag}:b:1:9.9"], [First.ToString(), 1, "seq", 2, "size", "1"]);

        Assert.Equal(-3, (int)answer);
        Assert.Equal((1UL, "0"), ((await LayerAsync(layer)).Seq, (await LayerAsync(layer, "size")).Fields["size"]));
    }

    [Fact]
    public async Task Structure_and_release_commits_are_fenced_like_all_others()
    {
        var (vmo, layer) = await CreateAsync();

        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("size", "1")) with { IsRelease = true }));
        Assert.Equal(CommitOutcome.Stale, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("size", "2")) with { IsStructure = true }));
        Assert.Equal(CommitOutcome.Fenced, await Pages.CommitAsync(LayerCommit(vmo, layer, 2, Field("size", "2")) with { IsRelease = true, Owner = Second }));
    }

    [Fact]
    public async Task A_commit_with_the_stores_own_fields_is_a_bug()
    {
        var (vmo, layer) = await CreateAsync();

        await Assert.ThrowsAsync<ArgumentException>(async () => await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("seq", "7"))));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Pages.CommitAsync(LayerCommit(vmo, layer, 1)));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Pages.CommitAsync(LayerCommit(vmo, new(new(vmo.Value + 1), 1), 1, Field("size", "7"))));
    }

    private static string CommitScript()
    {
        using var stream = typeof(RedisStore).Assembly.GetManifestResourceStream("VmoCluster.PageStore.Scripts.commit.lua")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
