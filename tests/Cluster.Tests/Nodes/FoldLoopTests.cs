using VmoCluster.Harness;
using Xunit;
using static VmoCluster.Cluster.Tests.Nodes.AliasNode;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>
/// P7 on a real store: what is folded there is removed, and no belief of the core turns out false over it. A field of a layer whose name begins as those
/// of leaves do was once taken for a leaf, which the simulated store does not give out as one.
/// </summary>
[Collection(NodeCollection.Name)]
public sealed class FoldLoopTests
{
    [Fact]
    public async Task P7_A_loop_of_snapshots_leaves_few_layers_and_breaks_no_belief()
    {
        await using var redis = await RedisServer.StartAsync(["appendonly no"]);
        await using var silo = await SiloProcess.StartAsync(new() { Redis = redis.Configuration });
        await using var client = Nodes.Connect(silo.Endpoint);
        var root = await client.CreateAsync(256 * Page);
        var live = await root.CloneAsync(VmoKind.Live);
        foreach (var vmo in new[] { root, live })
        {
            for (var round = 0; round < 60; round++)
            {
                await SetAsync(vmo, (ulong)(round * 7 % 256) * Page, (byte)(round + 1));
                await (await vmo.CloneAsync(VmoKind.Snapshot)).CloseAsync();
            }
        }

        // Each has its top, a frozen layer under it, and one that is being folded.
        await Eventually.UntilAsync("few layers", async () => (await redis.CommandAsync("KEYS", "*:l:*")).Split(":l:").Length - 1 <= 6);
        Assert.DoesNotContain("a belief of the core turned out false", silo.Log, StringComparison.Ordinal);
        Assert.Equal(60, await ByteAsync(live, 59 * 7 % 256 * Page));
    }
}
