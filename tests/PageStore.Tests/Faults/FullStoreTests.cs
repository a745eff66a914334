using System.Text;
using VmoCluster.Core.Store;
using VmoCluster.Harness;

namespace VmoCluster.PageStore.Tests.Faults;

/// <summary>A full store refuses pages, and can be emptied all the same (P11).</summary>
public sealed class FullStoreTests : IAsyncLifetime
{
    private static readonly Owner Owner = new(1, 1, 1);
    private static readonly Koid Vmo = new(1);
    private static readonly LayerId Layer = new(Vmo, 1);

    private RedisServer? _server;

    public async Task InitializeAsync() => _server = await RedisServer.StartAsync(["maxmemory 12mb", "maxmemory-policy noeviction"]);

    public async Task DisposeAsync() => await _server!.DisposeAsync();

    [Fact]
    public async Task When_Redis_itself_says_full_pages_are_refused_and_releases_go_on()
    {
        // The high-water mark is out of the way, so it is Redis that refuses.
        await using var store = await StoreBackend.OpenAsync(new() { Configuration = _server!.Configuration, HighWaterRatio = 1.0 });
        await CreateAsync(store.Pages);
        await store.Sessions.OpenSessionAsync(7, "silo", CancellationToken.None);
        var (seq, written) = await FillAsync(store.Pages);
        await StuffAsync();

        Assert.Equal(CommitOutcome.Full, await store.Pages.CommitAsync(Plain(seq, 100_000, 0)));
        Assert.Equal(seq, (await store.Pages.LoadLayerAsync(Layer, [], CancellationToken.None))!.Seq);
        Assert.Equal(CommitOutcome.Full, await store.Pages.CommitAsync(Plain(seq, 100_000, 0) with { Blobs = [] }));
        var refused = await Assert.ThrowsAsync<StoreException>(
            async () => await store.Pages.CreateAsync(new(2), Owner, new(new(2), 1), [Field("size")], [Field("meta")], isPromised: false, CancellationToken.None));
        Assert.Equal(VmoStatus.NoSpace, refused.Status);

        // All that closing, decommitting, revoking and inheriting need.
        Assert.Equal(CommitOutcome.Applied, await store.Pages.CommitAsync(Plain(seq, 0, 0) with { Blobs = [], IsRelease = true }));
        Assert.Equal(new(CommitOutcome.Applied, HasTakenEffect: true, seq + 1), await store.Pages.SettleAsync(Vmo, Owner, CommitTarget.Layer, Layer, seq));
        Assert.True(await store.Pages.RemoveFieldsAsync(Vmo, Owner, CommitTarget.Layer, Layer, 1, [Encoding.UTF8.GetBytes("l")], CancellationToken.None));
        var next = Owner.Next(2, 2);
        Assert.True((await store.Pages.TakeOverAsync(Vmo, Owner, next, leftBy: 0, CancellationToken.None)).Taken);
        Assert.True((await store.Sessions.RenewAsync(7, 1, 0, CancellationToken.None)).IsAlive);
        await store.Sessions.NoteUnfinishedAsync(7, Vmo, CancellationToken.None);
        Assert.True(await store.Sessions.MarkDeadAsync(7, 2, CancellationToken.None));
        await store.Sessions.OpenSessionAsync(8, "silo", CancellationToken.None);
        await store.Sessions.ClearUnfinishedAsync(7, Vmo, CancellationToken.None);
        Assert.Equal(written.Count, await store.Pages.UnlinkBlobsAsync(new(Vmo, next, 1, Layer, 1), Layer, written, areFormersDone: false, CancellationToken.None));
        Assert.True(await store.Pages.EraseAsync(Vmo, next, [Layer], [Field("q0")], CancellationToken.None));
        Assert.Equal(Existence.Tombstone, (await store.Pages.LoadRecordAsync(Vmo, CancellationToken.None)).Existence);
    }

    [Fact]
    public async Task Above_the_high_water_mark_pages_are_refused_before_Redis_must()
    {
        await using var store = await StoreBackend.OpenAsync(new() { Configuration = _server!.Configuration, HighWaterRatio = 0.5 });
        await CreateAsync(store.Pages);
        Assert.Equal(CommitOutcome.Applied, await store.Pages.CommitAsync(Plain(1, 1000, 1)));
        await _server.CommandAsync("SETRANGE", "somebody-elses", "7000000", "x");
        await Eventually.UntilAsync("the high-water mark seen", () => store.IsNearlyFull);

        Assert.Equal(CommitOutcome.Full, await store.Pages.CommitAsync(Plain(2, 1000, 2)));
        Assert.Equal(CommitOutcome.Applied, await store.Pages.CommitAsync(Plain(2, 1000, 2) with { IsRelease = true }));
        Assert.Equal(CommitOutcome.Applied, await store.Pages.CommitAsync(Plain(3, 0, 0) with { Blobs = [], IsRelease = true }));
        var refused = await Assert.ThrowsAsync<StoreException>(
            async () => await store.Pages.CreateAsync(new(2), Owner, new(new(2), 1), [Field("size")], [Field("meta")], isPromised: false, CancellationToken.None));
        Assert.Equal(VmoStatus.NoSpace, refused.Status);

        await _server.CommandAsync("DEL", "somebody-elses");
        await Eventually.UntilAsync("room again", () => !store.IsNearlyFull);
        Assert.Equal(CommitOutcome.Applied, await store.Pages.CommitAsync(Plain(4, 1000, 3)));
    }

    [Fact]
    public async Task A_full_store_that_is_ours_is_opened()
    {
        var options = new RedisStoreOptions { Configuration = _server!.Configuration };
        await using (await StoreBackend.OpenAsync(options))
            await StuffAsync();

        await using var again = await StoreBackend.OpenAsync(options);

        Assert.True(again.IsNearlyFull);
    }

    [Fact]
    public async Task A_full_Redis_is_no_place_for_a_new_store()
    {
        await StuffAsync();

        var error = await Assert.ThrowsAsync<StoreException>(() => StoreBackend.OpenAsync(new() { Configuration = _server!.Configuration }));

        Assert.Equal(VmoStatus.NoSpace, error.Status);
        Assert.Contains("maxmemory", error.Message, StringComparison.Ordinal);
    }

    private static async Task CreateAsync(IPageStore pages) =>
        Assert.True(await pages.CreateAsync(Vmo, Owner, Layer, [Field("size")], [Field("meta")], isPromised: false, CancellationToken.None));

    private static async Task<(ulong Seq, List<BlobId> Written)> FillAsync(IPageStore pages)
    {
        var written = new List<BlobId>();
        for (var seq = 1UL; seq < 1000; seq++)
        {
            var outcome = await pages.CommitAsync(Plain(seq, 100_000, (uint)seq));
            if (outcome == CommitOutcome.Full)
                return (seq, written);
            Assert.Equal(CommitOutcome.Applied, outcome);
            written.Add(new(1, (uint)seq));
        }

        throw new InvalidOperationException("12 MiB took 100 MB.");
    }

    // Less than even an empty Redis uses: no command is lucky.
    private async Task StuffAsync() => Assert.Equal("+OK\r\n", await _server!.CommandAsync("CONFIG", "SET", "maxmemory", "100kb"));

    private static StoreCommit Plain(ulong seq, int bytes, uint counter) => new()
    {
        Vmo = Vmo, Owner = Owner, Target = CommitTarget.Layer, Layer = Layer, Seq = seq, Fields = [Field("l")],
        Blobs = [new(new(1, counter == 0 ? 100_000 : counter), [new byte[bytes]])],
    };

    private static StoreField Field(string name) => new(Encoding.UTF8.GetBytes(name), new byte[100]);
}
