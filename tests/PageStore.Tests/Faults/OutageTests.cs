using System.Diagnostics;
using System.Text;
using VmoCluster.Core.Store;
using VmoCluster.Harness;

namespace VmoCluster.PageStore.Tests.Faults;

/// <summary>What commits say while Redis is silent, gone, demoted or short of replicas, and that settling makes an end of it.</summary>
public sealed class OutageTests : IAsyncLifetime
{
    private static readonly Owner Owner = new(1, 1, 1);
    private static readonly Koid Vmo = new(1);
    private static readonly LayerId Layer = new(Vmo, 1);

    private RedisServer? _server;

    public async Task InitializeAsync() => _server = await RedisServer.StartAsync(["appendonly yes", "appendfsync always"]);

    public async Task DisposeAsync() => await _server!.DisposeAsync();

    [Fact]
    public async Task A_commit_to_a_silent_Redis_is_unknown_until_it_is_settled()
    {
        await using var store = await OpenAsync();

        _server!.Pause();
        var outcome = await store.Pages.CommitAsync(Commit(1));
        Assert.Equal(CommitOutcome.Unknown, outcome);
        Assert.Equal(CommitOutcome.Unknown, (await store.Pages.SettleAsync(Vmo, Owner, CommitTarget.Layer, Layer, 1)).Outcome);
        await Eventually.UntilAsync("the silence noticed", () => !store.IsReachable);
        _server.Resume();

        var settled = await SettleAsync(store.Pages, 1);
        // It has taken effect or never will, and its fields are there exactly if it has, whatever became of the settling that nobody heard of.
        var hash = (await store.Pages.LoadLayerAsync(Layer, [Encoding.UTF8.GetBytes("l")], CancellationToken.None))!;
        Assert.Equal(settled.Seq, hash.Seq);
        Assert.Equal(settled.HasTakenEffect ? 1 : 0, hash.Fields.Count);
        Assert.Equal(CommitOutcome.Stale, await store.Pages.CommitAsync(Commit(1)));
        Assert.Equal(hash.Fields.Count, (await store.Pages.LoadLayerAsync(Layer, [Encoding.UTF8.GetBytes("l")], CancellationToken.None))!.Fields.Count);
        Assert.Equal(CommitOutcome.Applied, await store.Pages.CommitAsync(Commit(hash.Seq)));
        await Eventually.UntilAsync("it reachable again", () => store.IsReachable);
    }

    [Fact]
    public async Task Reads_and_takings_over_of_a_silent_Redis_throw_Io()
    {
        await using var store = await OpenAsync();

        _server!.Pause();
        var load = await Assert.ThrowsAsync<StoreException>(async () => await store.Pages.LoadRecordAsync(Vmo, CancellationToken.None));
        var take = await Assert.ThrowsAsync<StoreException>(async () => await store.Pages.TakeOverAsync(Vmo, Owner, Owner.Next(2, 2), leftBy: 0, CancellationToken.None));
        _server.Resume();

        Assert.Equal((VmoStatus.Io, VmoStatus.Io), (load.Status, take.Status));
    }

    // Where nobody is connected Redis' client throws at once. Who asked again on the spot ended a silo by a full stack.
    [Fact]
    public async Task Of_a_Redis_that_is_gone_nothing_is_told_at_once()
    {
        await using var store = await OpenAsync();
        await _server!.KillAsync();
        await Eventually.UntilAsync("it is known to be gone", () => !store.IsReachable);

        Task[] asked =
        [
            store.Sessions.NoteUnfinishedAsync(1, Vmo, CancellationToken.None).AsTask(), store.Sessions.ReadSessionAsync(1, CancellationToken.None).AsTask(),
            store.Pages.LoadRecordAsync(Vmo, CancellationToken.None).AsTask(), store.Pages.CommitAsync(Commit(1)).AsTask(),
            store.Pages.SettleAsync(Vmo, Owner, CommitTarget.Layer, Layer, 1).AsTask(),
        ];
        Assert.All(asked, one => Assert.False(one.IsCompleted));
        await Task.WhenAll(asked).ContinueWith(_ => { }, TaskScheduler.Default);
        Assert.All(asked[..3], one => Assert.Equal(VmoStatus.Io, Assert.IsType<StoreException>(one.Exception!.InnerException).Status));
        await _server.RestartAsync();
    }

    [Fact]
    public async Task After_a_restart_of_Redis_the_store_goes_on()
    {
        await using var store = await OpenAsync();
        await _server!.KillAsync();

        // Refused where the loss of the connection is known already.
        Assert.Contains(await store.Pages.CommitAsync(Commit(1)), new[] { CommitOutcome.Unknown, CommitOutcome.Refused });
        await _server.RestartAsync();

        // Its scripts are not known to the new process.
        var settled = await SettleAsync(store.Pages, 1);
        Assert.Equal(new(CommitOutcome.Applied, HasTakenEffect: false, 3), settled);
        Assert.Equal(CommitOutcome.Applied, await store.Pages.CommitAsync(Commit(3)));
    }

    // For a quarter of a second maps and pages from before a restart were used beside what the restarted Redis has, which may have lost its latest past.
    [Fact]
    public async Task Nothing_is_asked_of_a_Redis_that_was_restarted_before_it_was_looked_at_and_the_silo_has_forgotten()
    {
        await using var store = await OpenAsync();
        var past = store.Condition.Lineage;
        store.Sessions.Adopt(past);
        Assert.Equal(Existence.Exists, (await store.Pages.LoadRecordAsync(Vmo, CancellationToken.None)).Existence);
        using var stop = new CancellationTokenSource();
        var (answers, moved) = (0, false);
        var asking = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                moved = moved || store.Condition.Lineage != past;
                try
                {
                    await store.Pages.LoadRecordAsync(Vmo, CancellationToken.None);
                    Interlocked.Increment(ref answers);
                }
                catch (StoreException)
                {
                    await Task.Yield();
                }
            }
        });
        await _server!.KillAsync();
        var before = Volatile.Read(ref answers);
        await _server.RestartAsync();
        await Eventually.UntilAsync("the other history seen", () => store.Condition.Lineage != past);
        Assert.NotEqual(CommitOutcome.Applied, await store.Pages.CommitAsync(Commit(1)));
        var refused = await Assert.ThrowsAsync<StoreException>(async () => await store.Pages.LoadRecordAsync(Vmo, CancellationToken.None));
        Assert.Contains("being forgotten", refused.Message, StringComparison.Ordinal);
        // One that was on its way when the server was killed may be counted late.
        Assert.InRange(Volatile.Read(ref answers), before, before + 1);

        // Who waits while the silo takes to the other lineage has asked by what may be lost.
        var waiting = store.Pages.CommitAsync(Commit(1)).AsTask();
        store.Sessions.Adopt(store.Condition.Lineage);
        Assert.Equal(CommitOutcome.Refused, await waiting);
        await Eventually.UntilAsync("answers again", () => Volatile.Read(ref answers) > before + 1);
        await stop.CancelAsync();
        await asking;
        Assert.True(moved);
    }

    [Fact]
    public async Task Forgotten_scripts_are_sent_again()
    {
        await using var store = await OpenAsync();
        Assert.Equal(CommitOutcome.Applied, await store.Pages.CommitAsync(Commit(1)));

        await _server!.CommandAsync("SCRIPT", "FLUSH");

        Assert.Equal(CommitOutcome.Applied, await store.Pages.CommitAsync(Commit(2)));
    }

    [Fact]
    public async Task A_demoted_primary_applies_nothing()
    {
        await using var store = await OpenAsync();
        await using var other = await RedisServer.StartAsync();

        await _server!.CommandAsync("REPLICAOF", "127.0.0.1", $"{other.Port}");
        var outcome = await store.Pages.CommitAsync(Commit(1));

        Assert.Contains(outcome, new[] { CommitOutcome.Refused, CommitOutcome.Unknown });
    }

    [Fact]
    public async Task A_user_without_permission_is_refused()
    {
        await using var store = await OpenAsync();

        await _server!.CommandAsync("ACL", "SETUSER", "default", "-hset");

        Assert.Equal(CommitOutcome.Refused, await store.Pages.CommitAsync(Commit(1)));
        await _server.CommandAsync("ACL", "SETUSER", "default", "+hset");
        Assert.Equal(CommitOutcome.Applied, await store.Pages.CommitAsync(Commit(1)));
    }

    [Fact]
    public async Task A_commit_without_its_replica_is_unknown_until_the_replica_has_it()
    {
        await using var replica = await RedisServer.StartAsync([$"replicaof 127.0.0.1 {_server!.Port}", "repl-diskless-load swapdb"]);
        await replica.WaitForAsync("the replica in step", reply => reply.Contains("master_link_status:up", StringComparison.Ordinal), "INFO", "replication");
        await _server.WaitForAsync("the replica online", reply => reply.Contains("state=online", StringComparison.Ordinal), "INFO", "replication");
        await using var store = await OpenAsync(Durability.Replicas(1));
        var seq = await AppliedAsync(store.Pages, 1);

        replica.Pause();
        Assert.Equal(CommitOutcome.Unknown, await store.Pages.CommitAsync(Commit(seq)));
        Assert.Equal(CommitOutcome.Unknown, (await store.Pages.SettleAsync(Vmo, Owner, CommitTarget.Layer, Layer, seq)).Outcome);
        replica.Resume();

        // The primary had it.
        var settled = await SettleAsync(store.Pages, seq);
        Assert.Equal(new(CommitOutcome.Applied, HasTakenEffect: true, seq + 1), settled);
        await AppliedAsync(store.Pages, settled.Seq);
        Assert.Equal((await store.Pages.LoadLayerAsync(Layer, [], CancellationToken.None))!.Seq, await SeqOfAsync(replica));
    }

    private async Task<RedisStore> OpenAsync(Durability durability = default)
    {
        var store = await StoreBackend.OpenAsync(new() { Configuration = _server!.Configuration, Durability = durability });
        try
        {
            Assert.True(await store.Pages.CreateAsync(Vmo, Owner, Layer, [Field("size")], [Field("meta")], isPromised: false, CancellationToken.None));
        }
        catch (StoreException) when (durability != Durability.Primary)
        {
            // A busy machine's replica was late.
            Assert.Equal(Existence.Exists, (await store.Pages.LoadRecordAsync(Vmo, CancellationToken.None)).Existence);
        }

        return store;
    }

    // A replica on a busy machine may be late; then the commit is settled, and another one made. The seq after the one applied.
    private static async Task<ulong> AppliedAsync(IPageStore pages, ulong seq)
    {
        while (true)
        {
            var outcome = await pages.CommitAsync(Commit(seq));
            if (outcome == CommitOutcome.Applied)
                return seq + 1;
            Assert.Equal(CommitOutcome.Unknown, outcome);
            seq = (await SettleAsync(pages, seq)).Seq;
        }
    }

    private static async Task<ulong> SeqOfAsync(RedisServer replica)
    {
        var reply = await replica.CommandAsync("HGET", $"vmo:{{{Vmo}}}:l:1", "seq");
        return ulong.Parse(reply.Split("\r\n")[1], System.Globalization.CultureInfo.InvariantCulture);
    }

    private static async Task<Settlement> SettleAsync(IPageStore pages, ulong seq)
    {
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            var settled = await pages.SettleAsync(Vmo, Owner, CommitTarget.Layer, Layer, seq);
            if (settled.Outcome is not (CommitOutcome.Unknown or CommitOutcome.Refused))
            {
                Assert.Equal(CommitOutcome.Applied, settled.Outcome);
                return settled;
            }

            if (Stopwatch.GetElapsedTime(began) > TimeSpan.FromSeconds(20))
                throw new TimeoutException("Missing: a settlement.");
        }
    }

    private static StoreCommit Commit(ulong seq) => new()
    {
        Vmo = Vmo, Owner = Owner, Target = CommitTarget.Layer, Layer = Layer, Seq = seq, Fields = [Field("l")],
        Blobs = [new(new(1, (uint)seq), [new byte[5000]])],
    };

    private static StoreField Field(string name) => new(Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes("v"));
}
