using Xunit;
using static VmoCluster.Cluster.Tests.Nodes.AliasNode;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>Slices, case by case (semantics 4.8, 4.9): a window on the same pages.</summary>
[Collection(NodeCollection.Name)]
public sealed class SliceTests(AliasNode node) : IClassFixture<AliasNode>
{
    // Upstream refuses what passes the end; ours cuts COMMIT and DECOMMIT to the size (rulings), so only what begins beyond it is refused.
    [Fact]
    public async Task C142_Decommit_through_nested_slices_goes_as_far_as_that_slice_even_where_the_root_has_room()
    {
        const int pages = 6;
        var root = await node.FixedAsync(pages);
        var slice = await root.CloneAsync(VmoKind.Slice, Page, 4 * Page);
        var inner = await slice.CloneAsync(VmoKind.Slice, Page, 2 * Page);
        foreach (var (vmo, first, count) in new[] { (root, 0, 6), (slice, 1, 4), (inner, 2, 2) })
        {
            for (var start = 0; start <= pages + 1; start++)
            {
                for (var end = start; end <= pages + 1; end++)
                {
                    for (var page = 0; page < pages; page++)
                        await SetAsync(root, (ulong)page * Page, 1);
                    var range = new ByteRange((ulong)start * Page, (ulong)(end - start) * Page);
                    if (start > count)
                        await RefusedAsync(VmoStatus.OutOfRange, () => vmo.DecommitAsync(range));
                    else
                        await vmo.DecommitAsync(range);
                    for (var page = 0; page < pages; page++)
                    {
                        var here = page - first;
                        var isGone = start <= count && here >= start && here < Math.Min(end, count);
                        Assert.Equal(isGone ? 0 : 1, await ByteAsync(root, (ulong)page * Page));
                    }
                }
            }
        }
    }

    [Fact]
    public async Task C204_What_the_parent_decommits_reads_zero_through_the_slice()
    {
        var root = await node.FixedAsync(2);
        await SetAsync(root, Page, 42);
        var slice = await root.CloneAsync(VmoKind.Slice, Page, Page);
        Assert.Equal(42, await ByteAsync(slice, 0));
        await root.DecommitAsync(new(Page, Page));
        Assert.Equal(0, await ByteAsync(slice, 0));
    }

    [Fact]
    public async Task C205_What_the_slice_decommits_reads_zero_in_the_parent()
    {
        var root = await node.FixedAsync(2);
        await SetAsync(root, 0, 41);
        await SetAsync(root, Page, 42);
        var slice = await root.CloneAsync(VmoKind.Slice, Page, Page);
        await slice.DecommitAsync(new(0, Page));
        Assert.Equal(0, await ByteAsync(root, Page));
        Assert.Equal(41, await ByteAsync(root, 0));
        await RefusedAsync(VmoStatus.InvalidArgs, () => slice.DecommitAsync(new(16, Page / 2)));
    }

    [Fact]
    public async Task C206_What_the_slice_commits_and_writes_is_the_parents()
    {
        var root = await node.FixedAsync(2);
        var slice = await root.CloneAsync(VmoKind.Slice, Page, Page);
        await slice.CommitAsync(new(0, Page));
        Assert.Equal((ulong)Page, (await root.GetInfoAsync()).CommittedBytes);
        Assert.Equal(0ul, (await slice.GetInfoAsync()).CommittedBytes);
        await SetAsync(slice, 0, 42);
        Assert.Equal(42, await ByteAsync(root, Page));
        await slice.ZeroAsync(new(0, 1));
        Assert.Equal(0, await ByteAsync(root, Page));
    }

    [Fact]
    public async Task C207_A_slice_of_a_slice_shows_and_writes_the_roots_pages()
    {
        var root = await node.FixedAsync(4);
        for (var page = 0ul; page < 4; page++)
            await SetAsync(root, page * Page, 42);
        var slice = await root.CloneAsync(VmoKind.Slice, Page, 3 * Page);
        var inner = await slice.CloneAsync(VmoKind.Slice, Page, 2 * Page);
        Assert.Equal(42, await ByteAsync(inner, 0));
        Assert.Equal(42, await ByteAsync(inner, Page));
        await SetAsync(inner, 0, 84);
        await SetAsync(inner, Page, 84);
        Assert.Equal([42, 42, 84, 84], await Task.WhenAll(Enumerable.Range(0, 4).Select(page => ByteAsync(root, (ulong)page * Page))));
        Assert.Equal(84, await ByteAsync(slice, Page));
        var info = await inner.GetInfoAsync();
        Assert.Equal((slice.Koid, (ulong)Page, 2ul * Page), (info.Parent, info.Offset, info.Size));
    }

    // Upstream's RESIZABLE flag does not exist here: a slice is never resizable (rulings).
    [Fact]
    public async Task C209_A_slice_of_a_resizable_VMO_is_not_possible_and_a_slice_has_its_size_for_ever()
    {
        var resizable = await node.Client.CreateAsync(Page);
        await RefusedAsync(VmoStatus.NotSupported, () => resizable.CloneAsync(VmoKind.Slice, 0, Page));
        // A reference that may not resize does not make the VMO behind it fixed.
        var reference = await resizable.CloneAsync(VmoKind.Reference, options: new() { NonResizable = true });
        await RefusedAsync(VmoStatus.NotSupported, () => reference.CloneAsync(VmoKind.Slice, 0, Page));
        var slice = await (await node.FixedAsync(2)).CloneAsync(VmoKind.Slice, 0, Page);
        await RefusedAsync(VmoStatus.Unavailable, () => slice.SetSizeAsync(Page));
        Assert.False((await slice.GetInfoAsync()).IsResizable);
    }

    [Fact]
    public async Task C210_Slices_of_no_bytes_are_made_and_show_nothing()
    {
        var root = await node.FixedAsync(1);
        foreach (var offset in new ulong[] { 0, Page })
        {
            var slice = await root.CloneAsync(VmoKind.Slice, offset, 0);
            await RefusedAsync(VmoStatus.OutOfRange, () => ByteAsync(slice, 0));
            await RefusedAsync(VmoStatus.OutOfRange, () => SetAsync(slice, 0, 1));
            await slice.ReadAsync(0, Array.Empty<byte>());
        }
    }

    [Fact]
    public async Task C212_A_slice_clears_ZERO_CHILDREN_at_once_and_its_close_sets_it_soon()
    {
        var root = await node.FixedAsync(1);
        Assert.True(await HasNoChildrenAsync(root));
        var slice = await root.CloneAsync(VmoKind.Slice, 0, Page);
        Assert.False(await HasNoChildrenAsync(root));
        await slice.CloseAsync();
        await SoonHasNoChildrenAsync(root);
    }

    [Fact]
    public async Task C214_A_snapshot_of_a_slice_is_not_possible_nor_is_a_reference()
    {
        var slice = await (await node.FixedAsync(2)).CloneAsync(VmoKind.Slice, 0, Page);
        await RefusedAsync(VmoStatus.NotSupported, () => slice.CloneAsync(VmoKind.Snapshot, 0, Page));
        await RefusedAsync(VmoStatus.NotSupported, () => slice.CloneAsync(VmoKind.Reference));
    }

    [Fact]
    public async Task C215_A_slice_of_42_bytes_is_a_page()
    {
        var root = await node.FixedAsync(1);
        await SetAsync(root, Page - 64, 7);
        var slice = await root.CloneAsync(VmoKind.Slice, 0, 42);
        Assert.Equal((ulong)Page, await slice.GetSizeAsync());
        Assert.Equal(7, await ByteAsync(slice, Page - 64));
    }

    [Fact]
    public async Task C216_A_slice_says_that_it_is_no_copy()
    {
        var slice = await (await node.FixedAsync(1)).CloneAsync(VmoKind.Slice, 0, Page, new() { Name = "window" });
        var info = await slice.GetInfoAsync();
        Assert.Equal((VmoKind.Slice, "window"), (info.Kind, info.Name));
    }

    [Fact]
    public async Task C217_A_thousand_slices_of_slices_each_parent_closed_show_the_roots_page_and_go_one_after_the_other()
    {
        const int depth = 1000;
        var root = await node.FixedAsync(1);
        await SetAsync(root, 5, 42);
        var last = await root.CloneAsync(VmoKind.Slice, 0, Page);
        for (var level = 1; level < depth; level++)
        {
            var next = await last.CloneAsync(VmoKind.Slice, 0, Page);
            await last.CloseAsync();
            last = next;
        }

        Assert.Equal(42, await ByteAsync(last, 5));
        await SetAsync(last, 6, 43);
        Assert.Equal(43, await ByteAsync(root, 6));
        Assert.False(await HasNoChildrenAsync(root));
        await last.CloseAsync();
        Assert.False((await root.WaitAsync(VmoSignals.ZeroChildren, TimeSpan.FromSeconds(60))).IsTimedOut, "the slices are not gone");
    }

    // Upstream's figures are of a per-page split; here a slice is charged nothing and the sum is what is stored.
    [Fact]
    public async Task C218_A_slice_is_charged_nothing_also_when_its_parent_is_gone()
    {
        var root = await node.FixedAsync(2);
        await SetAsync(root, 0, 1);
        await SetAsync(root, Page, 2);
        var slice = await root.CloneAsync(VmoKind.Slice, Page, Page);
        var info = await slice.GetInfoAsync();
        Assert.Equal((0ul, 0ul), (info.CommittedBytes, info.ChargedBytes));
        Assert.Equal(2ul * Page, (await root.GetInfoAsync()).ChargedBytes);
        await root.CloseAsync();
        info = await slice.GetInfoAsync();
        Assert.Equal((0ul, 0ul), (info.CommittedBytes, info.ChargedBytes));
        Assert.Equal(2, await ByteAsync(slice, 0));
    }

    [Fact]
    public async Task A_slice_speaks_in_its_own_offsets()
    {
        var root = await node.FixedAsync(600);
        var slice = await root.CloneAsync(VmoKind.Slice, 100 * Page, 500 * Page);
        var refused = await RefusedAsync(VmoStatus.OutOfRange, () => slice.ReadAsync(500 * Page, new byte[1]));
        Assert.Contains($"at {500 * Page} is outside the VMO's {500 * Page} bytes", refused.Message, StringComparison.Ordinal);
        await SetAsync(slice, 3 * Page, 1);
        await SetAsync(root, 0, 1);
        var runs = await slice.LookupAsync(new(0, 500 * Page)).ToListAsync();
        Assert.Equal([(new ByteRange(3 * Page, Page), root.Koid)], runs.Select(run => (run.Range, run.Owner)));
        await slice.OpRangeAsync(VmoOp.Prefetch, new(0, 10 * Page));

        // More than one message holds, and not on pages' borders.
        var data = new byte[Limits.CallBytesMax];
        new Random(1).NextBytes(data);
        await slice.WriteAsync(5 * Page + 7, data);
        var found = new byte[data.Length];
        await slice.ReadAsync(5 * Page + 7, found);
        Assert.Equal(data, found);
        await root.ReadAsync(105 * Page + 7, found);
        Assert.Equal(data, found);
        await RefusedAsync(VmoStatus.OutOfRange, () => slice.WriteAsync(490 * Page, data));

        var explained = await slice.ExplainAsync(3);
        Assert.Equal([(slice.Koid, VmoKind.Slice, "parent"), (root.Koid, VmoKind.Root, "own")], explained.Levels.Select(level => (level.Koid, level.Kind, level.Answer)));
    }

    [Fact]
    public async Task Calls_joined_in_one_message_are_answered_one_by_one_through_a_slice()
    {
        var root = await node.FixedAsync(8);
        var slice = await root.CloneAsync(VmoKind.Slice, 2 * Page, 4 * Page);
        var writes = Enumerable.Range(0, 6).Select(page => (page, Done: SetAsync(slice, (ulong)page * Page, (byte)(page + 1)))).ToArray();
        foreach (var (page, done) in writes)
        {
            if (page < 4)
                await done;
            else
                await RefusedAsync(VmoStatus.OutOfRange, () => done);
        }

        var reads = Enumerable.Range(0, 6).Select(page => (page, Found: ByteAsync(slice, (ulong)(5 - page) * Page))).ToArray();
        foreach (var (page, found) in reads)
        {
            if (page < 2)
                await RefusedAsync(VmoStatus.OutOfRange, () => found);
            else
                Assert.Equal(6 - page, await found);
        }

        Assert.Equal([0, 0, 1, 2, 3, 4, 0, 0], await Task.WhenAll(Enumerable.Range(0, 8).Select(page => ByteAsync(root, (ulong)page * Page))));
    }

    [Fact]
    public async Task A_slices_handle_may_do_what_its_rights_and_its_range_allow()
    {
        var root = await node.FixedAsync(4);
        var slice = await root.CloneAsync(VmoKind.Slice, Page, 3 * Page, new() { NoWrite = true });
        await RefusedAsync(VmoStatus.AccessDenied, () => SetAsync(slice, 0, 1));
        await RefusedAsync(VmoStatus.AccessDenied, () => slice.CommitAsync(new(0, Page)));
        await RefusedAsync(VmoStatus.AccessDenied, () => slice.CommitAsync(new(100 * Page, Page)));
        var blind = await slice.DuplicateAsync(VmoRights.Wait);
        await RefusedAsync(VmoStatus.AccessDenied, () => ByteAsync(blind, 0));
        var part = await slice.DuplicateAsync(VmoRights.SameRights, range: new(Page, Page));
        Assert.Equal(0, await ByteAsync(part, Page));
        await RefusedAsync(VmoStatus.OutOfRange, () => ByteAsync(part, 0));
        await slice.CloseAsync();
        await RefusedAsync(VmoStatus.BadHandle, () => ByteAsync(slice, 0));
        // Its number is not a way to the root.
        Assert.Equal(0, await ByteAsync(part, Page));
    }

    [Fact]
    public async Task A_live_clone_of_a_slice_follows_the_root_and_shows_nothing_beyond_the_slice()
    {
        var root = await node.FixedAsync(4);
        for (var page = 0ul; page < 4; page++)
            await SetAsync(root, page * Page, (byte)(page + 1));
        var slice = await root.CloneAsync(VmoKind.Slice, Page, 2 * Page);
        var clone = await slice.CloneAsync(VmoKind.Live, 0, 3 * Page);
        var again = await clone.CloneAsync(VmoKind.Live, 0, 3 * Page);
        foreach (var vmo in new[] { clone, again })
        {
            Assert.Equal([2, 3, 0], await Task.WhenAll(Enumerable.Range(0, 3).Select(page => ByteAsync(vmo, (ulong)page * Page))));
            Assert.Equal(vmo == clone ? slice.Koid : clone.Koid, (await vmo.GetInfoAsync()).Parent);
        }

        await SetAsync(slice, 0, 20);
        await SetAsync(root, 3 * Page, 40);
        await SetAsync(clone, Page, 30);
        Assert.Equal([20, 30, 0], await Task.WhenAll(Enumerable.Range(0, 3).Select(page => ByteAsync(again, (ulong)page * Page))));
        Assert.Equal(3, await ByteAsync(root, 2 * Page));
        await clone.DecommitAsync(new(0, 3 * Page));
        Assert.Equal([20, 3, 0], await Task.WhenAll(Enumerable.Range(0, 3).Select(page => ByteAsync(again, (ulong)page * Page))));
    }
}
