using Microsoft.Extensions.Logging.Abstractions;
using VmoCluster.Client;
using VmoCluster.Harness;
using VmoCluster.PageStore;
using Xunit;
using static VmoCluster.Cluster.Tests.Nodes.AliasNode;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>P2 where a silo holds what a VMO on another silo has granted it, and does not answer when that is taken back.</summary>
[Collection(NodeCollection.Name)]
public sealed class SilentHolderTests
{
    [Fact]
    public async Task P2_A_write_goes_on_when_the_silent_holders_session_is_dead_and_the_holder_shows_nothing_old_when_it_comes_back()
    {
        await using var cluster = await SiloCluster.StartAsync(2);
        await using var maker = Nodes.Connect([.. cluster.Endpoints]);

        // Which silo a VMO comes to live on is Orleans' choice: pairs are made until enough are on two silos, whichever is the root's.
        var made = new List<(int Holder, VmoHandle Root, VmoHandle Clone)>();
        await Eventually.UntilAsync("three clones on the one silo of roots on the other", async () =>
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => MakeAsync()));
            return made.GroupBy(pair => pair.Holder).Any(same => same.Count() >= 3);
        });
        var silent = made.GroupBy(pair => pair.Holder).MaxBy(same => same.Count())!.Key;
        var (holder, owner, holding) = (cluster.Silos[silent], cluster.Silos[1 - silent], cluster.Silos[silent].Session);
        await using var through = Nodes.Connect(holder.Endpoint);
        await using var others = Nodes.Connect(owner.Endpoint);
        var pairs = made.Where(pair => pair.Holder == silent).Take(3).Select(pair => (Root: others.Open(pair.Root), Clone: others.Open(pair.Clone))).ToList();
        foreach (var (_, clone) in pairs)
            Assert.Equal(1, await ByteAsync(through.Open(clone.Handle), 0));

        async Task MakeAsync()
        {
            var root = await maker.CreateAsync(16 * Page);
            await SetAsync(root, 0, 1);
            var clone = await root.CloneAsync(VmoKind.Live, 0, 16 * Page);
            Assert.Equal(1, await ByteAsync(clone, 0));
            var (rootAt, cloneAt) = (await cluster.OwnerAsync(root.Koid.Value), await cluster.OwnerAsync(clone.Koid.Value));
            if (rootAt is null || cloneAt is null || rootAt == cloneAt)
                return;
            lock (made)
                made.Add((cluster.Silos.ToList().IndexOf(cloneAt), root.Handle, clone.Handle));
        }

        await using var store = await RedisStore.OpenAsync(new() { Configuration = cluster.Redis.Configuration }, NullLoggerFactory.Instance, TimeProvider.System, CancellationToken.None);
        holder.Pause();
        await Task.WhenAll(pairs.Select(async pair =>
        {
            await SetAsync(others.Open(pair.Root.Handle), 0, 2);
            var state = await store.Sessions.ReadSessionAsync(holding, CancellationToken.None);
            Assert.True(state.IsDead || !state.Exists, "the write was acknowledged while the silent silo could still show the old page");
        }));

        // Some of these lie in the holder's sockets when it wakes up, others come just then.
        var reads = pairs.SelectMany(pair => Enumerable.Range(0, 50).Select(_ => ShowsAsync(through.Open(pair.Clone.Handle).WithDeadline(TimeSpan.FromSeconds(20))))).ToList();
        holder.Resume();
        reads.AddRange(pairs.SelectMany(pair => Enumerable.Range(0, 50).Select(_ => ShowsAsync(through.Open(pair.Clone.Handle).WithDeadline(TimeSpan.FromSeconds(20))))));
        Assert.All(await Task.WhenAll(reads), shown => Assert.True(shown is null or 2, $"the silo that stood still shows {shown}"));
        foreach (var (root, clone) in pairs)
        {
            Assert.Equal(2, await ByteAsync(others.Open(clone.Handle), 0));
            await SetAsync(others.Open(root.Handle), 0, 3);
            Assert.Equal(3, await ByteAsync(others.Open(clone.Handle), 0));
        }
    }

    // Null: no answer, which the silo may give as long as it has no session, or when it has ended.
    private static async Task<byte?> ShowsAsync(Vmo vmo)
    {
        try
        {
            return await ByteAsync(vmo, 0);
        }
        catch (VmoException failure) when (failure.IsRetryable)
        {
            return null;
        }
    }
}
