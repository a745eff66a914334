using VmoCluster.Harness;
using VmoCluster.Messages;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>What a node tells of a family: who is charged, the tree, and where a page comes from.</summary>
[Collection(NodeCollection.Name)]
public sealed class FamilyTests
{
    private const int Page = Limits.PageBytes;

    [Fact]
    public async Task P7_A_family_of_snapshots_shows_its_tree_where_pages_come_from_and_charges_that_add_up()
    {
        await using var silo = await SiloProcess.StartAsync();
        await using var client = Nodes.Connect(silo.Endpoint);
        var root = await client.CreateAsync(1 << 20, new() { Name = "root" });
        await root.WriteAsync(0, Filled(3, 1));
        var middle = await root.CloneAsync(VmoKind.Snapshot, Page, 1 << 19, new() { Name = "middle" });
        await middle.WriteAsync(0, Filled(1, 2));
        var leaves = await middle.CloneManyAsync(2, VmoKind.Snapshot, options: new() { Name = "leaf" });
        await leaves[1].WriteAsync(0, Filled(1, 3));

        // Pages 0 to 2 lie in the root's first layer, page 0 of the middle in its first, page 0 of the last leaf in its top.
        var tree = await leaves[0].TreeAsync().ToListAsync();
        Assert.Equal([root.Koid, middle.Koid, leaves[0].Koid], tree.Select(node => node.Koid));
        Assert.Equal([null, null, "leaf-0"], tree.Select(node => node.Name));
        Assert.Equal(2, tree[1].ChildCount);
        tree = await root.TreeAsync().ToListAsync();
        Assert.Equal([root.Koid, middle.Koid, leaves[0].Koid, leaves[1].Koid], tree.Select(node => node.Koid));
        Assert.Equal([Koid.None, root.Koid, middle.Koid, middle.Koid], tree.Select(node => node.Parent));
        Assert.Equal(["root", "middle", "leaf-0", "leaf-1"], tree.Select(node => node.Name));
        Assert.Equal(5ul * Page, tree.Aggregate(0ul, (sum, node) => sum + node.ChargedBytes));
        foreach (var node in tree)
        {
            var info = await new[] { root, middle, leaves[0], leaves[1] }.Single(vmo => vmo.Koid == node.Koid).GetInfoAsync();
            Assert.Equal(node.ChargedBytes, info.ChargedBytes);
            Assert.Equal(node.CommittedBytes, info.CommittedBytes);
        }

        Assert.Equal((ulong)Page, (await leaves[1].GetInfoAsync()).WouldFreeBytes);

        var explained = await leaves[0].ExplainAsync(1);
        Assert.Equal(["absent", "absent", "frozen"], explained.Levels.Select(level => level.Answer));
        Assert.Equal([leaves[0].Koid, middle.Koid, root.Koid], explained.Levels.Select(level => level.Koid));
        Assert.Equal([VmoKind.Snapshot, VmoKind.Snapshot, VmoKind.Root], explained.Levels.Select(level => level.Kind));
        Assert.Equal(2ul * Page, explained.Levels[2].Offset);
        Assert.Equal([new PageCharge(root.Koid, 2048), new PageCharge(middle.Koid, 2048)], explained.Charged);
        Assert.StartsWith($"{root.Koid}.1:", explained.Blob, StringComparison.Ordinal);
        Assert.Equal(["own"], (await leaves[1].ExplainAsync(0)).Levels.Select(level => level.Answer));
        Assert.Null((await leaves[1].ExplainAsync(100)).Blob);
        Assert.Equal(VmoStatus.OutOfRange, (await Assert.ThrowsAsync<VmoException>(() => leaves[1].ExplainAsync(ulong.MaxValue))).Status);

        // Closed, the middle is not shown; the root's grandchildren are its children.
        await middle.CloseAsync();
        tree = await root.TreeAsync().ToListAsync();
        Assert.Equal([(root.Koid, Koid.None), (leaves[0].Koid, root.Koid), (leaves[1].Koid, root.Koid)], tree.Select(node => (node.Koid, node.Parent)));
        Assert.Equal(root.Koid, (await leaves[0].TreeAsync().ToListAsync())[0].Koid);
        Assert.Equal(5ul * Page, tree.Aggregate(0ul, (sum, node) => sum + node.ChargedBytes));

        var blind = await root.DuplicateAsync(VmoRights.Read | VmoRights.Duplicate);
        Assert.Equal(VmoStatus.AccessDenied, (await Assert.ThrowsAsync<VmoException>(async () => await blind.TreeAsync().ToListAsync())).Status);
        Assert.Equal(VmoStatus.BadHandle, (await Assert.ThrowsAsync<VmoException>(async () => await middle.TreeAsync().ToListAsync())).Status);
        var mute = await root.DuplicateAsync(VmoRights.Inspect);
        Assert.Equal(VmoStatus.AccessDenied, (await Assert.ThrowsAsync<VmoException>(() => mute.ExplainAsync(0))).Status);
    }

    [Fact]
    public async Task A_page_of_a_live_clone_is_explained_through_its_parents()
    {
        await using var silo = await SiloProcess.StartAsync();
        await using var client = Nodes.Connect(silo.Endpoint);
        var root = await client.CreateAsync(1 << 20);
        await root.WriteAsync(0, Filled(3, 1));
        var middle = await root.CloneAsync(VmoKind.Live, Page);
        var last = await middle.CloneAsync(VmoKind.Live, Page);
        var explained = await last.ExplainAsync(0);
        Assert.Equal([(last.Koid, 0ul, "parent"), (middle.Koid, Page, "parent"), (root.Koid, 2ul * Page, "own")], explained.Levels.Select(level => (level.Koid, level.Offset, level.Answer)));
        Assert.Equal([new PageCharge(root.Koid, Page)], explained.Charged);
        await last.WriteAsync(0, Filled(1, 2));
        explained = await last.ExplainAsync(0);
        Assert.Equal(["own"], explained.Levels.Select(level => level.Answer));
        Assert.Equal([new PageCharge(last.Koid, Page)], explained.Charged);

        // Beyond the parent's end nobody is asked.
        await root.SetSizeAsync(2 * Page);
        Assert.Equal(["parent", "absent"], (await last.ExplainAsync(1)).Levels.Select(level => level.Answer));

        // A closed middle stays as a ghost as long as somebody shows its pages.
        await middle.CloseAsync();
        var tree = await root.TreeAsync().ToListAsync();
        Assert.Equal([(root.Koid, false), (middle.Koid, true), (last.Koid, false)], tree.Select(node => (node.Koid, node.IsGhost)));
        Assert.Equal(middle.Koid, tree[2].Parent);
    }

    [Fact]
    public async Task A_family_of_more_than_one_answer_is_told_whole()
    {
        await using var silo = await SiloProcess.StartAsync();
        await using var client = Nodes.Connect(silo.Endpoint);
        var root = await client.CreateAsync(1 << 20);
        await root.WriteAsync(0, Filled(1, 1));
        var count = (2 * Limits.TreeNodesMax) + 1;
        var children = await root.CloneManyAsync(count, VmoKind.Snapshot);
        var tree = await root.TreeAsync().ToListAsync();
        Assert.Equal([root.Koid, .. children.Select(child => child.Koid)], tree.Select(node => node.Koid));
        Assert.Equal((ulong)Page, tree.Aggregate(0ul, (sum, node) => sum + node.ChargedBytes));
        Assert.Equal(count, tree[0].ChildCount);
    }

    [Fact]
    public async Task A_page_a_thousand_levels_down_is_explained()
    {
        const int levels = 1000;
        await using var redis = await RedisServer.StartAsync(["appendonly yes", "appendfsync everysec"]);
        await using var silo = await SiloProcess.StartAsync(new() { Redis = redis.Configuration });
        await using var client = Nodes.Connect(silo.Endpoint);
        var root = await client.CreateAsync(1 << 20);
        await root.WriteAsync(0, Filled(1, 1));
        var last = root;
        for (var level = 1; level < levels; level++)
            last = await last.CloneAsync(VmoKind.Snapshot, 0, 1 << 20, new() { Name = $"level-{level}" });
        var explained = await last.ExplainAsync(0);
        Assert.Equal(root.Koid, explained.Levels[^1].Koid);
        Assert.Equal("frozen", explained.Levels[^1].Answer);
        Assert.InRange(explained.Levels.Length, levels, 2 * levels);
        Assert.Equal(2, explained.Charged.Length);
        var info = await last.GetInfoAsync();
        Assert.Equal(0ul, info.WouldFreeBytes);
        var tree = await last.TreeAsync().ToListAsync();
        Assert.Equal(levels, tree.Count);
        Assert.Equal(root.Koid, tree[0].Koid);
        Assert.Equal(last.Koid, tree[^1].Koid);
    }

    private static byte[] Filled(int pages, byte with)
    {
        var data = new byte[pages * Page];
        Array.Fill(data, with);
        return data;
    }
}
