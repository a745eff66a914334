using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>Snapshots of live clones on silos of their own processes.</summary>
[Collection(NodeCollection.Name)]
public sealed class LiveSnapshotTests
{
    private const ulong Page = Limits.PageBytes;
    private const int Chains = 4;

    [Fact]
    public async Task P2_Snapshots_of_live_clones_over_two_silos_show_one_moment_of_all_their_ancestors()
    {
        await using var cluster = await SiloCluster.StartAsync(2);
        await using var client = VmoClient.Connect(new()
        {
            Endpoints = [.. cluster.Endpoints], Deadline = TimeSpan.FromSeconds(30), ConnectTimeout = TimeSpan.FromSeconds(30), OperatorToken = cluster.Silos[0].OperatorToken,
        });
        using var end = new CancellationTokenSource();
        var chains = new List<Vmo[]>();
        for (var i = 0; i < Chains; i++)
            chains.Add(await ChainAsync(client));
        var writing = chains.Select(chain => WriteAsync(chain, end.Token)).ToArray();
        var snapshots = await Task.WhenAll(chains.Select(SnapshotAsync));
        await end.CancelAsync();
        await Task.WhenAll(writing);

        // The first level was written first: whatever shows a number further down shows it further up.
        for (var i = 0; i < Chains; i++)
        {
            var last = 0;
            foreach (var snapshot in snapshots[i])
            {
                var shown = await ShownAsync(snapshot);
                Assert.True(shown[0] >= shown[1] && shown[1] >= shown[2] && shown[0] - shown[2] <= 1, $"a snapshot shows {string.Join(' ', shown)}");
                Assert.True(shown[2] >= last, $"a later snapshot shows {shown[2]}, an earlier one {last}");
                last = shown[2];
            }

            Assert.True(last > 0, "nothing was written while snapshots were made");
            await Task.WhenAll(chains[i].Concat(snapshots[i][1..]).Select(vmo => vmo.CloseAsync()));
        }

        Assert.Equal([], await client.ScrubAsync().ToListAsync());
        foreach (var left in snapshots.Select(made => made[0]))
            await left.CloseAsync();
        await Eventually.UntilAsync("the end of every VMO", async () => !await client.ListAsync(new()).AnyAsync());
        Assert.Equal([], await client.ScrubAsync().ToListAsync());
    }

    [Fact]
    public async Task A_snapshot_of_a_live_clone_is_explained_and_charged_through_its_windows()
    {
        await using var silo = await SiloProcess.StartAsync();
        await using var client = VmoClient.Connect(new()
        {
            Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(30), ConnectTimeout = TimeSpan.FromSeconds(30), OperatorToken = silo.OperatorToken,
        });
        var root = await client.CreateAsync(4 * Page);
        await root.WriteAsync(0, new byte[] { 1 });
        await root.WriteAsync(Page, new byte[] { 1 });
        var clone = await root.CloneAsync(VmoKind.Live);
        await clone.WriteAsync(Page, new byte[] { 2 });
        var snapshot = await clone.CloneAsync(VmoKind.Snapshot);
        Assert.Equal(["absent", "absent", "frozen"], (await snapshot.ExplainAsync(0)).Levels.Select(level => level.Answer));
        Assert.Equal([snapshot.Koid, clone.Koid, root.Koid], (await snapshot.ExplainAsync(0)).Levels.Select(level => level.Koid));
        Assert.Equal(["absent", "frozen"], (await snapshot.ExplainAsync(1)).Levels.Select(level => level.Answer));
        var tree = await root.TreeAsync().ToListAsync();
        Assert.Equal([(root.Koid, Koid.None), (clone.Koid, root.Koid), (snapshot.Koid, clone.Koid)], tree.Select(node => (node.Koid, node.Parent)));
        Assert.Equal(3 * Page, tree.Aggregate(0ul, (sum, node) => sum + node.ChargedBytes));
        await root.CloseAsync();
        await clone.CloseAsync();
        await Eventually.UntilAsync("the end of the clone's top", async () => (await snapshot.GetInfoAsync()).ChargedBytes == 3 * Page);
        Assert.Equal([], await client.ScrubAsync().ToListAsync());
    }

    private static async Task<Vmo[]> ChainAsync(VmoClient client)
    {
        var root = await client.CreateAsync(8 * Page);
        var middle = await root.CloneAsync(VmoKind.Live);
        return [root, middle, await middle.CloneAsync(VmoKind.Live)];
    }

    private static async Task WriteAsync(Vmo[] chain, CancellationToken end)
    {
        for (var number = 1; !end.IsCancellationRequested; number++)
        {
            for (var level = 0; level < chain.Length; level++)
                await chain[level].WriteAsync((ulong)level * Page, BitConverter.GetBytes(number), CancellationToken.None);
        }
    }

    private static async Task<Vmo[]> SnapshotAsync(Vmo[] chain)
    {
        var made = new List<Vmo>();
        while (made.Count < 25)
            made.Add(await chain[^1].CloneAsync(VmoKind.Snapshot));
        return [.. made];
    }

    private static async Task<int[]> ShownAsync(Vmo snapshot)
    {
        var shown = new int[3];
        var bytes = new byte[4];
        for (var level = 0; level < shown.Length; level++)
        {
            await snapshot.ReadAsync((ulong)level * Page, bytes);
            shown[level] = BitConverter.ToInt32(bytes);
        }

        return shown;
    }
}
