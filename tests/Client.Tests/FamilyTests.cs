using VmoCluster.Client.Tests.Model;
using VmoCluster.Messages;

namespace VmoCluster.Client.Tests;

public sealed class FamilyTests
{
    [Fact]
    public async Task A_tree_is_asked_on_where_an_answer_ended_and_tells_ancestors_without_names()
    {
        await using var setup = new Setup();
        var root = await setup.Client.CreateAsync(8192, new() { Name = "root" });
        var sibling = await root.CloneAsync();
        var middle = await root.CloneAsync(VmoKind.Snapshot, 4096, options: new() { Name = "middle" });
        var below = await middle.CloneManyAsync(7, options: new() { Name = "leaf" });
        var nodes = await AllAsync(middle.TreeAsync());
        Assert.Equal([root.Koid, middle.Koid, .. below.Select(clone => clone.Koid)], nodes.Select(node => node.Koid));
        Assert.Equal([null, "middle", .. Enumerable.Range(0, 7).Select(i => $"leaf-{i}")], nodes.Select(node => node.Name));
        Assert.Equal((2, 7, 0), (nodes[0].ChildCount, nodes[1].ChildCount, nodes[2].ChildCount));
        Assert.Equal((root.Koid, VmoKind.Snapshot, 4096UL, 4096UL), (nodes[1].Parent, nodes[1].Kind, nodes[1].Offset, nodes[1].Size));
        Assert.DoesNotContain(sibling.Koid, nodes.Select(node => node.Koid));
        await middle.CloseAsync();
        Assert.True((await AllAsync(root.TreeAsync())).Single(node => node.Koid == middle.Koid).IsGhost);
        var blind = await root.DuplicateAsync(VmoRights.Read);
        await Setup.RefusedAsync(VmoStatus.AccessDenied, () => AllAsync(blind.TreeAsync()));
    }

    [Fact]
    public async Task An_explanation_names_every_level_the_blob_and_who_pays()
    {
        await using var setup = new Setup();
        var root = await setup.Client.CreateAsync(3 * 4096);
        await root.WriteAsync(2 * 4096, new byte[] { 1 });
        var child = await root.CloneAsync(VmoKind.Live, 4096);
        var told = await child.ExplainAsync(1);
        Assert.Equal([(child.Koid, VmoKind.Live, 4096UL, "parent"), (root.Koid, VmoKind.Root, 8192UL, "own")], told.Levels.Select(level => (level.Koid, level.Kind, level.Offset, level.Answer)));
        Assert.Equal("b1[0]", told.Blob);
        Assert.Equal([new PageCharge(root.Koid, 4096)], told.Charged);
        told = await child.ExplainAsync(0);
        Assert.Null(told.Blob);
        Assert.Empty(told.Charged);
        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => child.ExplainAsync(2));
        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => child.ExplainAsync(ulong.MaxValue));
    }

    [Fact]
    public async Task A_scrub_goes_on_to_the_end_and_adds_up()
    {
        await using var setup = new Setup(new() { Caller = Caller.Operator });
        var root = await setup.Client.CreateAsync(4096);
        var clones = await root.CloneManyAsync(4);
        var other = await setup.Client.CreateAsync(4096);
        setup.Cluster.Damage.Add(new(clones[2].Koid, "missing-blob", "blob 7"));
        setup.Cluster.Damage.Add(new(other.Koid, "count", "2 handles, 3 counted"));
        var walk = setup.Client.ScrubAsync();
        Assert.Equal(setup.Cluster.Damage, await AllAsync(walk));
        Assert.Equal((60L, 2L), (walk.Checked, walk.Findings));
        walk = setup.Client.ScrubAsync(clones[0].Koid, bytes: false);
        Assert.Equal(setup.Cluster.Damage[..1], await AllAsync(walk));
        Assert.Equal((5L, 1L), (walk.Checked, walk.Findings));

        // Asked again, it counts from the start.
        await AllAsync(walk);
        Assert.Equal((5L, 1L), (walk.Checked, walk.Findings));
        await using var nobody = new VmoClient(setup.Cluster, new());
        await Setup.RefusedAsync(VmoStatus.AccessDenied, () => AllAsync(nobody.ScrubAsync()));
    }

    internal static async Task<List<T>> AllAsync<T>(IAsyncEnumerable<T> items)
    {
        var all = new List<T>();
        await foreach (var item in items)
            all.Add(item);
        return all;
    }
}
