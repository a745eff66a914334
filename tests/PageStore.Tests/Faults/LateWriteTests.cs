using System.Text;
using VmoCluster.Core.Store;
using VmoCluster.Harness;

namespace VmoCluster.PageStore.Tests.Faults;

/// <summary>Blobs that were sent and never answered do not arrive after they have been given up: nobody would ever unlink them.</summary>
public sealed class LateWriteTests : IAsyncLifetime
{
    private static readonly Owner Owner = new(1, 1, 1);
    private static readonly Koid Vmo = new(1);
    private static readonly LayerId Layer = new(Vmo, 1);
    private static readonly BlobId Blob = new(1, 1);

    // Longer than StackExchange.Redis bears a connection that does not answer.
    private static readonly TimeSpan Held = TimeSpan.FromSeconds(9);

    private RedisServer? _server;

    public async Task InitializeAsync() => _server = await RedisServer.StartAsync();

    public async Task DisposeAsync() => await _server!.DisposeAsync();

    [Fact]
    public async Task What_a_dead_silo_sent_arrives_before_its_session_is_marked_dead_or_never()
    {
        await using var way = new TcpProxy(_server!.Port);
        await using var heir = await StoreBackend.OpenAsync(new() { Configuration = _server.Configuration });
        await using (var dead = await OpenThroughAsync(way))
        {
            await dead.Sessions.OpenSessionAsync(7, "the one that dies", CancellationToken.None);
            Assert.Equal(CommitOutcome.Unknown, await CommitHeldAsync(dead, way));
        }

        Assert.True(way.Open > 0, "what it sent is still on its way");
        Assert.True(await heir.Sessions.MarkDeadAsync(7, 1, CancellationToken.None));
        await Eventually.UntilAsync("all that was on its way passed on", () => way.Open == 0);

        Assert.False(await IsThereAsync(heir));
    }

    [Fact]
    public async Task What_a_lost_connection_carried_arrives_before_the_commit_is_settled_or_never()
    {
        await using var way = new TcpProxy(_server!.Port);
        await using var store = await OpenThroughAsync(way);
        Assert.Equal(CommitOutcome.Unknown, await CommitHeldAsync(store, way));

        Settlement settled;
        do
            settled = await store.Pages.SettleAsync(Vmo, Owner, CommitTarget.Layer, Layer, 1);
        while (settled.Outcome == CommitOutcome.Unknown);
        var isThere = await IsThereAsync(store);
        await Eventually.UntilAsync("what was held passed on", () => way.StillHeld == 0);

        Assert.Equal(CommitOutcome.Applied, settled.Outcome);
        Assert.Equal(isThere, await IsThereAsync(store));
        Assert.False(isThere, "the connection was lost while its bytes were held");
    }

    // A partition that heals within the lease, and an owner that has ended without settling: the next one on the same silo unlinks what could have been written, once.
    [Fact]
    public async Task What_a_lost_connection_carried_arrives_before_writes_are_finished_or_never()
    {
        await using var way = new TcpProxy(_server!.Port);
        await using var store = await OpenThroughAsync(way);
        Assert.Equal(CommitOutcome.Unknown, await CommitHeldAsync(store, way));

        await TriedAsync(() => store.Pages.FinishWritesAsync(Vmo, CancellationToken.None).AsTask());
        var isThere = await IsThereAsync(store);
        await Eventually.UntilAsync("what was held passed on", () => way.StillHeld == 0);
        Assert.Equal(isThere, await IsThereAsync(store));
        Assert.False(isThere, "the connection was lost while its bytes were held");
    }

    // Its own connections live on, so none of them is ended as a dead silo's are.
    [Fact]
    public async Task What_a_silo_sent_under_a_session_that_it_buries_itself_arrives_before_that_is_dead_or_never()
    {
        await using var way = new TcpProxy(_server!.Port);
        await using var heir = await StoreBackend.OpenAsync(new() { Configuration = _server.Configuration });
        await using var store = await OpenThroughAsync(way);
        await store.Sessions.OpenSessionAsync(7, "the one that loses its session", CancellationToken.None);
        Assert.Equal(CommitOutcome.Unknown, await CommitHeldAsync(store, way));

        await TriedAsync(async () => Assert.True(await store.Sessions.MarkDeadAsync(7, 1, CancellationToken.None)));
        var isThere = await IsThereAsync(heir);
        await Eventually.UntilAsync("what was held passed on", () => way.StillHeld == 0);
        Assert.Equal(isThere, await IsThereAsync(heir));
        Assert.False(isThere, "the connection was lost while its bytes were held");
    }

    // As its caller does, until the store is connected again.
    private static async Task TriedAsync(Func<Task> call) =>
        await Eventually.UntilAsync("the store has answered", async () =>
        {
            try
            {
                await call();
                return true;
            }
            catch (StoreException)
            {
                return false;
            }
        });

    [Fact]
    public async Task A_user_that_may_not_end_connections_settles_all_the_same()
    {
        await using var way = new TcpProxy(_server!.Port);
        await using var store = await OpenThroughAsync(way);
        await _server.CommandAsync("ACL", "SETUSER", "default", "-client|list", "-client|kill");

        Assert.Equal(CommitOutcome.Applied, (await store.Pages.SettleAsync(Vmo, Owner, CommitTarget.Layer, Layer, 1)).Outcome);
    }

    private static async Task<RedisStore> OpenThroughAsync(TcpProxy way)
    {
        var store = await StoreBackend.OpenAsync(new() { Configuration = $"127.0.0.1:{way.Port}" });
        Assert.True(await store.Pages.CreateAsync(Vmo, Owner, Layer, [Field("size")], [Field("meta")], isPromised: false, CancellationToken.None));
        return store;
    }

    private static async Task<CommitOutcome> CommitHeldAsync(RedisStore store, TcpProxy way)
    {
        way.HoldNext("SET", Held);
        var outcome = await store.Pages.CommitAsync(new()
        {
            Vmo = Vmo, Owner = Owner, Target = CommitTarget.Layer, Layer = Layer, Seq = 1, Fields = [Field("l")], Blobs = [new(Blob, [new byte[5000]])],
        });
        Assert.Equal(1, way.Held);
        return outcome;
    }

    private static async Task<bool> IsThereAsync(RedisStore store) => (await store.Pages.ReadBlobsAsync([new(Layer, Blob, 0, new byte[5000])], CancellationToken.None)).Single();

    private static StoreField Field(string name) => new(Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes("v"));
}
