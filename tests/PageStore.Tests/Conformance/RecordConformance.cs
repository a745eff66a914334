using VmoCluster.Core.Store;

namespace VmoCluster.PageStore.Tests.Conformance;

public abstract class RecordConformance(StoreBackend backend) : StoreConformance(backend)
{
    [Fact]
    public async Task Koids_are_given_out_once()
    {
        var blocks = await Task.WhenAll(Enumerable.Range(1, 20).Select(async count => (First: (await Pages.AllocateKoidsAsync(count, CancellationToken.None)).Value, count)));

        var all = blocks.SelectMany(block => Enumerable.Range(0, block.count).Select(i => block.First + (ulong)i)).ToList();
        Assert.Equal(all.Count, all.Distinct().Count());
        Assert.DoesNotContain(0UL, all);
    }

    [Fact]
    public async Task The_first_proposal_of_a_request_stands()
    {
        var request = new RequestId(7, 1UL << RequestId.CountBits);
        var answers = await Task.WhenAll(Enumerable.Range(1, 10).Select(async i => await Pages.BindRequestAsync(request, new((ulong)i), CancellationToken.None)));

        Assert.Single(answers.Distinct());
        Assert.Equal(answers[0], await Pages.BindRequestAsync(request, new(99), CancellationToken.None));
        Assert.Equal(new Koid(100), await Pages.BindRequestAsync(request with { Client = 8 }, new(100), CancellationToken.None));
    }

    [Fact]
    public async Task A_created_VMO_is_loaded_as_it_was_written()
    {
        var (vmo, layer) = await CreateAsync();

        var record = await Pages.LoadRecordAsync(vmo, CancellationToken.None);
        Assert.Equal(Existence.Exists, record.Existence);
        Assert.Equal((First, 1UL), (record.Hash!.Owner, record.Hash.Seq));
        Assert.Equal(new() { ["meta"] = "m", ["top"] = "1" }, Texts(record.Hash.Fields));
        Assert.Equal(1UL, (await LayerAsync(layer, "size")).Seq);
    }

    [Fact]
    public async Task Nothing_is_known_of_a_koid_never_created()
    {
        var load = await Pages.LoadRecordAsync(new(123_456), CancellationToken.None);

        Assert.Equal(new(Existence.Nothing, null), load);
        Assert.Null(await Pages.LoadLayerAsync(new(new(123_456), 1), [], CancellationToken.None));
    }

    [Fact]
    public async Task A_VMO_is_created_only_if_it_is_absent()
    {
        var vmo = await Pages.AllocateKoidsAsync(1, CancellationToken.None);
        var tries = await Task.WhenAll(Enumerable.Range(1, 8).Select(async i =>
            await Pages.CreateAsync(vmo, First.Next((ulong)i, 1), new(vmo, 1), [Field("size", $"{i}")], [Field("meta", $"{i}")], isPromised: false, CancellationToken.None)));

        var winner = Assert.Single(Enumerable.Range(0, 8), i => tries[i]);
        var record = await Pages.LoadRecordAsync(vmo, CancellationToken.None);
        Assert.Equal($"{winner + 1}", Texts(record.Hash!.Fields)["meta"]);
        Assert.Equal($"{winner + 1}", (await LayerAsync(new(vmo, 1), "size")).Fields["size"]);
    }

    [Fact]
    public async Task A_destroyed_VMO_leaves_a_tombstone_and_nothing_else()
    {
        var (vmo, layer) = await CreateAsync();

        Assert.True(await Pages.EraseAsync(vmo, First, [layer], [Field("q0", "answered")], CancellationToken.None));

        var load = await Pages.LoadRecordAsync(vmo, CancellationToken.None);
        Assert.Equal(Existence.Tombstone, load.Existence);
        Assert.Equal(new() { ["q0"] = "answered" }, Texts(load.Hash!.Fields));
        Assert.Null(await Pages.LoadLayerAsync(layer, [], CancellationToken.None));
        Assert.False(await Pages.CreateAsync(vmo, Second, layer, [Field("size", "0")], [Field("meta", "again")], isPromised: false, CancellationToken.None));
        Assert.True(await Pages.EraseAsync(vmo, First, [layer], [Field("q0", "again")], CancellationToken.None));
        Assert.Equal("answered", Texts((await Pages.LoadRecordAsync(vmo, CancellationToken.None)).Hash!.Fields)["q0"]);
    }

    [Fact]
    public async Task A_tombstone_goes_away_by_itself()
    {
        var (vmo, layer) = await CreateAsync();
        await Pages.EraseAsync(vmo, First, [layer], [Field("q0", "answered")], CancellationToken.None);

        var left = await Store.Membership.GetDatabase().KeyTimeToLiveAsync($"{Options.KeyPrefix}{{{vmo}}}:t");

        Assert.InRange(left!.Value.TotalMilliseconds, 1, Limits.TombstoneKeepMs);
    }

    [Fact]
    public async Task Another_owner_erases_nothing()
    {
        var (vmo, layer) = await CreateAsync();

        Assert.False(await Pages.EraseAsync(vmo, Second, [layer], [Field("q0", "answered")], CancellationToken.None));

        Assert.Equal(Existence.Exists, (await Pages.LoadRecordAsync(vmo, CancellationToken.None)).Existence);
        Assert.Equal(1UL, (await LayerAsync(layer)).Seq);
    }

    [Fact]
    public async Task Of_several_takers_one_gets_the_VMO()
    {
        var (vmo, _) = await CreateAsync();
        var nexts = Enumerable.Range(1, 10).Select(i => First.Next((ulong)i, (uint)i)).ToArray();

        var tries = await Task.WhenAll(nexts.Select(async next => await Pages.TakeOverAsync(vmo, First, next, leftBy: 0, CancellationToken.None)));

        var winner = Assert.Single(Enumerable.Range(0, nexts.Length), i => tries[i].Taken);
        Assert.Equal(First, tries[winner].Found);
        Assert.All(tries.Where(t => !t.Taken), t => Assert.Equal(nexts[winner], t.Found));
        Assert.Equal(nexts[winner], (await Pages.LoadRecordAsync(vmo, CancellationToken.None)).Hash!.Owner);
    }

    [Fact]
    public async Task A_repeated_taking_over_finds_itself_there()
    {
        var (vmo, _) = await CreateAsync();

        Assert.Equal(new(true, First), await Pages.TakeOverAsync(vmo, First, Second, leftBy: 0, CancellationToken.None));
        Assert.Equal(new(true, First), await Pages.TakeOverAsync(vmo, First, Second, leftBy: 0, CancellationToken.None));
        Assert.Equal(new(false, default), await Pages.TakeOverAsync(new(999_999), First, Second, leftBy: 0, CancellationToken.None));
    }

    [Fact]
    public async Task A_released_VMO_keeps_its_epoch_and_can_be_taken()
    {
        var (vmo, _) = await CreateAsync();

        await Pages.ReleaseAsync(vmo, Second, leftBy: 0, CancellationToken.None);
        Assert.Equal(First, (await Pages.LoadRecordAsync(vmo, CancellationToken.None)).Hash!.Owner);
        await Pages.ReleaseAsync(vmo, First, leftBy: 0, CancellationToken.None);
        Assert.Equal(First.Released(0), (await Pages.LoadRecordAsync(vmo, CancellationToken.None)).Hash!.Owner);

        Assert.True((await Pages.TakeOverAsync(vmo, First.Released(0), Second, leftBy: 0, CancellationToken.None)).Taken);
    }

    [Fact]
    public async Task A_record_remembers_the_owners_before_until_nothing_of_them_is_left()
    {
        var (vmo, layer) = await CreateAsync();
        var owners = new List<Owner> { First };
        async Task<IReadOnlyList<uint>> FormersAsync() => (await Pages.LoadRecordAsync(vmo, CancellationToken.None)).Hash!.Formers;
        async Task TakeAsync(Owner found, uint nonce)
        {
            var next = found.Next(9, nonce);
            Assert.True((await Pages.TakeOverAsync(vmo, found, next, found.Nonce, CancellationToken.None)).Taken);
            owners.Add(next);
        }

        Assert.Empty(await FormersAsync());
        await TakeAsync(First, 0x1000_0001);
        await TakeAsync(owners[^1], 0xF0);
        Assert.Equal([First.Nonce, 0x1000_0001], await FormersAsync());

        // A repeat adds nobody, nor does an owner that has released it for the one before, having written nothing.
        Assert.True((await Pages.TakeOverAsync(vmo, owners[^2], owners[^1], owners[^2].Nonce, CancellationToken.None)).Taken);
        await Pages.ReleaseAsync(vmo, owners[^1], leftBy: 0x1000_0001, CancellationToken.None);
        await TakeAsync(owners[^1].Released(0x1000_0001), 0xF1);
        Assert.Equal([First.Nonce, 0x1000_0001], await FormersAsync());

        // The latest of many.
        for (var i = 0u; i < 20; i++)
            await TakeAsync(owners[^1], 0x2000_0000 + i);
        Assert.Equal(StoredHash.FormersMax, (await FormersAsync()).Count);
        Assert.Equal(owners[^2].Nonce, (await FormersAsync())[^1]);

        // Forgotten with the last portion of what they could have written, and not before.
        var names = Enumerable.Range(1, 600).Select(i => new BlobId(0xF1, (uint)i)).ToArray();
        var fence = new StoreFence(vmo, owners[^1], 1, layer, 1);
        await Pages.UnlinkBlobsAsync(fence, layer, names, areFormersDone: false, CancellationToken.None);
        Assert.NotEmpty(await FormersAsync());
        await Pages.UnlinkBlobsAsync(fence, layer, names, areFormersDone: true, CancellationToken.None);
        Assert.Empty(await FormersAsync());

        // A VMO that is given up whole has none; nor does another owner's release change anything.
        await TakeAsync(owners[^1], 0x3000_0000);
        await Pages.ReleaseAsync(vmo, First, leftBy: 0, CancellationToken.None);
        Assert.Single(await FormersAsync());
        await Pages.ReleaseAsync(vmo, owners[^1], leftBy: 0, CancellationToken.None);
        Assert.Empty(await FormersAsync());
    }

    [Fact]
    public async Task All_VMOs_are_found_and_only_this_clusters()
    {
        await using var other = await StoreBackend.OpenAsync(Backend.FreshOptions());
        var mine = new List<Koid>();
        for (var i = 0; i < 30; i++)
            mine.Add((await CreateAsync()).Vmo);
        var last = (await other.Pages.AllocateKoidsAsync(7777, CancellationToken.None)).Value + 7776;
        var theirs = new Koid(last);
        await other.Pages.CreateAsync(theirs, First, new(theirs, 1), [Field("size", "0")], [Field("meta", "m")], isPromised: false, CancellationToken.None);

        Assert.Equal(mine.Order(), await AllAsync(Pages.ScanVmosAsync(Koid.None, CancellationToken.None)));
        Assert.Equal(mine.Order().Skip(10), await AllAsync(Pages.ScanVmosAsync(mine.Order().ElementAt(9), CancellationToken.None)));
        Assert.Equal([theirs], await AllAsync(other.Pages.ScanVmosAsync(Koid.None, CancellationToken.None)));
    }

    [Fact]
    public async Task Two_prefixes_on_one_Redis_do_not_collide()
    {
        await using var other = await StoreBackend.OpenAsync(Backend.FreshOptions());
        var (vmo, layer) = await CreateAsync();

        Assert.NotEqual(Store.Identity.Id, other.Identity.Id);
        Assert.Equal(Existence.Nothing, (await other.Pages.LoadRecordAsync(vmo, CancellationToken.None)).Existence);
        Assert.True(await other.Pages.CreateAsync(vmo, Second, layer, [Field("size", "9")], [Field("meta", "other")], isPromised: false, CancellationToken.None));
        Assert.Equal(CommitOutcome.Applied, await Pages.CommitAsync(LayerCommit(vmo, layer, 1, Field("size", "1"))));
        Assert.Equal("9", Texts((await other.Pages.LoadLayerAsync(layer, [Bytes("size")], CancellationToken.None))!.Fields)["size"]);
        Assert.Equal(new Koid(1), await other.Pages.AllocateKoidsAsync(1, CancellationToken.None));
    }

    [Fact]
    public async Task A_reopened_store_is_the_same_store()
    {
        await using var again = await StoreBackend.OpenAsync(Options);

        Assert.True(Store.Identity.IsFresh);
        Assert.Equal(Store.Identity with { IsFresh = false }, again.Identity);
        Assert.True(again.IsReachable);
    }
}
