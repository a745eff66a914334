using VmoCluster.Client;
using Xunit;
using static VmoCluster.Cluster.Tests.Nodes.AliasNode;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>References, case by case (semantics 4.10): an alias of the whole.</summary>
[Collection(NodeCollection.Name)]
public sealed class ReferenceTests(AliasNode node) : IClassFixture<AliasNode>
{
    [Fact]
    public async Task C219_What_is_written_through_either_is_seen_in_both()
    {
        var root = await node.Client.CreateAsync(Page);
        var reference = await root.CloneAsync(VmoKind.Reference);
        await SetAsync(root, 1, 0xaa);
        Assert.Equal(0xaa, await ByteAsync(reference, 1));
        await SetAsync(reference, 1, 0xbb);
        Assert.Equal(0xbb, await ByteAsync(root, 1));
    }

    [Fact]
    public async Task C220_A_reference_clears_ZERO_CHILDREN_and_its_close_sets_it()
    {
        var root = await node.Client.CreateAsync(Page);
        Assert.True(await HasNoChildrenAsync(root));
        var reference = await root.CloneAsync(VmoKind.Reference);
        Assert.False(await HasNoChildrenAsync(root));
        await reference.CloseAsync();
        await SoonHasNoChildrenAsync(root);
    }

    [Fact]
    public async Task C224_References_of_references_are_the_same_pages_and_each_tells_its_own_parent()
    {
        var root = await node.Client.CreateAsync(Page);
        Vmo[] all = [root, await root.CloneAsync(VmoKind.Reference), null!, null!];
        all[2] = await all[1].CloneAsync(VmoKind.Reference);
        all[3] = await all[2].CloneAsync(VmoKind.Reference);
        for (var i = 0; i < all.Length; i++)
        {
            await SetAsync(all[i], 0, (byte)(i + 1));
            foreach (var vmo in all)
                Assert.Equal(i + 1, await ByteAsync(vmo, 0));
            Assert.Equal(i == 0 ? Koid.None : all[i - 1].Koid, (await all[i].GetInfoAsync()).Parent);
        }

        // The middle is closed: what is below it still holds the root.
        await all[2].CloseAsync();
        await all[1].CloseAsync();
        Assert.False(await HasNoChildrenAsync(root));
        Assert.Equal(4, await ByteAsync(all[3], 0));
        await all[3].CloseAsync();
        await SoonHasNoChildrenAsync(root);
    }

    // Upstream's figures are of a per-page split; the reference's nothing is the same here.
    [Fact]
    public async Task C227_A_reference_is_charged_nothing_also_when_its_parent_is_closed()
    {
        var root = await node.Client.CreateAsync(Page);
        await SetAsync(root, 0, 9);
        var reference = await root.CloneAsync(VmoKind.Reference);
        Assert.Equal((ulong)Page, (await root.GetInfoAsync()).ChargedBytes);
        Assert.Equal(0ul, (await reference.GetInfoAsync()).ChargedBytes);
        await root.CloseAsync();
        var info = await reference.GetInfoAsync();
        Assert.Equal((0ul, 0ul, root.Koid), (info.ChargedBytes, info.CommittedBytes, info.Parent));
        Assert.Equal(9, await ByteAsync(reference, 0));
    }

    // There is no RESIZE right here: WRITE resizes, and NON_RESIZEABLE is of the object (rulings). A reference has its target's size.
    [Fact]
    public async Task C229_A_reference_resizes_what_it_refers_to_where_both_may_be_resized()
    {
        var root = await node.Client.CreateAsync(Page);
        var reference = await root.CloneAsync(VmoKind.Reference);
        var still = await root.CloneAsync(VmoKind.Reference, options: new() { NonResizable = true });
        await reference.SetSizeAsync((3 * Page) - 1);
        foreach (var vmo in new[] { root, reference, still })
        {
            Assert.Equal(3ul * Page, await vmo.GetSizeAsync());
            Assert.Equal((3ul * Page) - 1, await vmo.GetContentSizeAsync());
            var info = await vmo.GetInfoAsync();
            Assert.Equal((3ul * Page, (3ul * Page) - 1), (info.Size, info.ContentSize));
        }

        var tree = await root.TreeAsync().ToListAsync();
        Assert.Equal([3ul * Page, 3ul * Page, 3ul * Page], tree.Select(node => node.Size));
        await SetAsync(still, (2 * Page) + 5, 1);
        Assert.Equal([(still.Koid, "parent"), (root.Koid, "own")], (await still.ExplainAsync(2)).Levels.Select(level => (level.Koid, level.Answer)));
        await reference.SetContentSizeAsync(17);
        Assert.Equal(17ul, await root.GetContentSizeAsync());
        await RefusedAsync(VmoStatus.Unavailable, () => still.SetSizeAsync(Page));
        var readOnly = await reference.DuplicateAsync(VmoRights.Read);
        await RefusedAsync(VmoStatus.AccessDenied, () => readOnly.SetSizeAsync(Page));
        var part = await reference.DuplicateAsync(VmoRights.SameRights, range: new(0, Page));
        await RefusedAsync(VmoStatus.AccessDenied, () => part.SetSizeAsync(Page));
        await RefusedAsync(VmoStatus.OutOfRange, () => ByteAsync(part, Page));
        await root.SetSizeAsync(Page);
        await RefusedAsync(VmoStatus.OutOfRange, () => ByteAsync(reference, Page));
        var refused = await node.FixedAsync(1);
        await RefusedAsync(VmoStatus.Unavailable, async () => await (await refused.CloneAsync(VmoKind.Reference)).SetSizeAsync(Page));
    }

    [Fact]
    public async Task C232_A_reference_tells_its_parent_and_that_it_is_no_copy()
    {
        var root = await node.Client.CreateAsync(Page, new() { Name = "target" });
        var reference = await root.CloneAsync(VmoKind.Reference);
        var info = await reference.GetInfoAsync();
        Assert.Equal((VmoKind.Reference, root.Koid, "target", 1), (info.Kind, info.Parent, info.Name, info.HandleCount));
        await reference.SetNameAsync("alias");
        await reference.SignalAsync(VmoSignals.None, VmoSignals.User0);
        Assert.Equal("target", await root.GetNameAsync());
        Assert.Equal(VmoSignals.None, (await root.GetInfoAsync()).Signals & VmoSignals.UserAll);
        Assert.Equal(1, (await root.GetInfoAsync()).ChildCount);
    }

    [Fact]
    public async Task A_slice_of_a_reference_is_a_window_on_what_it_refers_to()
    {
        var root = await node.FixedAsync(4);
        var slice = await (await root.CloneAsync(VmoKind.Reference)).CloneAsync(VmoKind.Slice, 2 * Page, Page);
        await SetAsync(slice, 3, 5);
        Assert.Equal(5, await ByteAsync(root, (2 * Page) + 3));
        await RefusedAsync(VmoStatus.OutOfRange, () => ByteAsync(slice, Page));
    }

    [Fact]
    public async Task A_reference_to_a_live_clone_writes_into_the_clone_alone()
    {
        var root = await node.Client.CreateAsync(2 * Page);
        await SetAsync(root, 0, 1);
        var clone = await root.CloneAsync(VmoKind.Live, 0, 2 * Page);
        var reference = await clone.CloneAsync(VmoKind.Reference);
        Assert.Equal(1, await ByteAsync(reference, 0));
        await SetAsync(root, 0, 2);
        Assert.Equal(2, await ByteAsync(reference, 0));
        await SetAsync(reference, 0, 3);
        Assert.Equal((2, 3), (await ByteAsync(root, 0), await ByteAsync(clone, 0)));
        await clone.CloseAsync();
        await reference.DecommitAsync(new(0, Page));
        Assert.Equal(2, await ByteAsync(reference, 0));

        // And a live clone of the reference follows the clone that is closed, and through it the root.
        var below = await reference.CloneAsync(VmoKind.Live, 0, 2 * Page);
        await SetAsync(root, 0, 4);
        Assert.Equal(4, await ByteAsync(below, 0));
        await SetAsync(reference, 0, 5);
        Assert.Equal(5, await ByteAsync(below, 0));
    }
}
