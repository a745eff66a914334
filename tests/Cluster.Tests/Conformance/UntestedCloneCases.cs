using Xunit;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>What upstream never tests of clones (semantics 4.16).</summary>
[Collection(ConformanceCollection.Name)]
public sealed class UntestedCloneCases(ConformanceNode node) : Cases(node)
{
    [Theory, EveryDoor]
    public async Task C308_The_order_of_a_clones_errors(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        await RefusedAsync(VmoStatus.OutOfRange, () => vmo.CloneAsync(1, 1, ulong.MaxValue));
        await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync(0, 0, ulong.MaxValue));
        await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync(5, 0, ulong.MaxValue));
        await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync(1, 1, P));

        // There is one type of object here, so WRONG_TYPE cannot be had; the right is asked before the options.
        var blind = await vmo.DuplicateAsync(VmoRights.Duplicate | VmoRights.Write);
        await RefusedAsync(VmoStatus.AccessDenied, () => blind.CloneAsync(0, 1, ulong.MaxValue));
        var single = await vmo.DuplicateAsync(VmoRights.Read | VmoRights.Write);
        await RefusedAsync(VmoStatus.AccessDenied, () => single.CloneAsync(1, 0, P));
        await single.CloseAsync();
        await RefusedAsync(VmoStatus.BadHandle, () => single.CloneAsync(0, 1, ulong.MaxValue));
        Assert.Equal(0, (await vmo.GetInfoAsync()).ChildCount);
    }

    [Theory, EveryDoor]
    public async Task C309_A_window_may_end_where_numbers_end_and_not_behind(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        foreach (var kind in new[] { VmoKind.Live, VmoKind.Snapshot })
        {
            await RefusedAsync(VmoStatus.OutOfRange, () => vmo.CloneAsync(kind, P, ulong.MaxValue - P + 1));
            var clone = await vmo.CloneAsync(kind, 0, ulong.MaxValue - P + 1);
            Assert.Equal(ulong.MaxValue - P + 1, await clone.GetSizeAsync());
        }
    }

    [Theory, EveryDoor]
    public async Task C310_Through_a_handle_that_may_not_read_the_name_a_clone_has_none(Door door)
    {
        var vmo = await CreateAsync(door, 1, "test1");
        var narrow = await vmo.DuplicateAsync(VmoRights.Read | VmoRights.Duplicate);
        var clone = await narrow.CloneAsync();
        var open = await vmo.CloneAsync();
        var names = (await vmo.TreeAsync().ToListAsync()).ToDictionary(member => member.Koid, member => member.Name);
        Assert.Equal("", names[clone.Koid]);
        Assert.Equal("test1", names[open.Koid]);
    }

    [Theory, EveryDoor]
    public async Task C311_A_clone_that_is_refused_changes_nothing_for_the_parents_signal(Door door)
    {
        // Ruling: no pulse, as today's kernel has it.
        var vmo = await CreateAsync(door, 1);
        await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync(VmoKind.Live, 1, P));
        await BecomesChildlessAsync(vmo);
        var clone = await LiveAsync(vmo, 0, 1);
        await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync(VmoKind.Live, 1, P));
        await HasChildrenAsync(vmo, 1);
        await clone.CloseAsync();
        await BecomesChildlessAsync(vmo);
    }

    [Theory, EveryDoor]
    public async Task C312_A_clone_that_shrank_to_nothing_shows_the_parent_when_it_is_back_and_a_snapshot_zeros(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 2);
        var (live, snapshot) = (await LiveAsync(vmo, 0, 2), await SnapshotAsync(vmo, 0, 2));
        foreach (var clone in new[] { live, snapshot })
        {
            await PutAsync(clone, 0, 50);
            await clone.SetSizeAsync(0);
        }

        await PutAsync(vmo, 1, 20);
        foreach (var clone in new[] { live, snapshot })
            await clone.SetSizeAsync(2 * P);
        await ShowsAsync(live, 1, 20);
        await ShowsAsync(snapshot, 0, 0);
        await PutAsync(vmo, 0, 10);
        await ShowsAsync(live, 10, 20);
        await ShowsAsync(snapshot, 0, 0);
    }

    [Theory, EveryDoor]
    public async Task C313_A_clone_that_grows_beyond_what_it_was_made_with_shows_the_parent_and_a_snapshot_zeros(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 4);
        var (live, snapshot) = (await LiveAsync(vmo, 1, 1), await SnapshotAsync(vmo, 1, 1));
        await live.SetSizeAsync(4 * P);
        await snapshot.SetSizeAsync(4 * P);
        await ShowsAsync(live, 2, 3, 4, 0);
        await ShowsAsync(snapshot, 2, 0, 0, 0);
    }

    [Theory, EveryDoor]
    public async Task C314_What_a_parent_writes_after_shrinking_and_growing_is_seen(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 2);
        var clone = await LiveAsync(vmo, 0, 2);
        await PutAsync(clone, 0, 50);
        await vmo.SetSizeAsync(0);
        await ShowsAsync(clone, 50, 0);
        await vmo.SetSizeAsync(2 * P);
        await ShowsAsync(clone, 50, 0);
        await PutAsync(vmo, 0, 7);
        await PutAsync(vmo, 1, 7);
        await ShowsAsync(clone, 50, 7);
    }

    [Theory, EveryDoor]
    public async Task C315_The_middle_of_a_chain_hides_and_shows_the_root(Door door)
    {
        var root = await CreateTaggedAsync(door, 2);
        var middle = await LiveAsync(root, 0, 2);
        var leaf = await LiveAsync(middle, 0, 2);
        await PutAsync(root, 0, 10);
        await ShowsAsync(leaf, 10, 2);
        await PutAsync(middle, 0, 20);
        await PutAsync(root, 0, 11);
        await ShowsAsync(leaf, 20, 2);
        await middle.DecommitAsync(new(0, P));
        await ShowsAsync(leaf, 11, 2);
        await middle.SetSizeAsync(P);
        await ShowsAsync(leaf, 11, 0);
        await middle.SetSizeAsync(2 * P);
        await ShowsAsync(leaf, 11, 2);
    }

    [Theory, EveryDoor]
    public async Task C316_A_clone_that_wrote_where_its_parent_had_nothing_does_not_see_what_comes(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        var clone = await LiveAsync(vmo, 0, 1);
        await clone.WriteAsync(5, new byte[] { 0x55 });
        await FillAsync(vmo, 0, P, 0xff);
        var expected = new byte[P];
        expected[5] = 0x55;
        Assert.Equal(expected, await AllAsync(clone));
    }

    [Theory, EveryDoor]
    public async Task C317_A_parents_commit_changes_nothing_for_its_clone(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        var clone = await LiveAsync(vmo, 0, 1);
        await vmo.CommitAsync(new(0, P));
        await ShowsAsync(clone, 0);
        await PutAsync(vmo, 0, 7);
        await ShowsAsync(clone, 7);
    }

    [Theory, EveryDoor]
    public async Task C320_A_clone_reads_what_its_closed_parent_had(Door door)
    {
        // E18 and the ruling: the closed parent stays its parent.
        var vmo = await CreateTaggedAsync(door, 2);
        var clone = await LiveAsync(vmo, 0, 2);
        await vmo.CloseAsync();
        await ShowsAsync(clone, 1, 2);
        Assert.Equal(vmo.Koid, (await clone.GetInfoAsync()).Parent);
        await PutAsync(clone, 1, 20);
        await ShowsAsync(clone, 1, 20);
        await RefusedAsync(VmoStatus.BadHandle, () => vmo.GetSizeAsync());
    }

    [Theory, EveryDoor]
    public async Task C323_Two_clones_that_write_the_same_page_at_once_keep_their_own_byte(Door door)
    {
        foreach (var kind in new[] { VmoKind.Live, VmoKind.Snapshot })
        {
            var vmo = await CreateAsync(door, 1);
            await FillAsync(vmo, 0, P, 0x11);
            var clones = await vmo.CloneManyAsync(2, kind);
            await Task.WhenAll(clones.Select((clone, at) => clone.WriteAsync((ulong)at, new byte[] { 0xee })));
            foreach (var (clone, at) in clones.Select((clone, at) => (clone, at)))
            {
                var expected = new byte[P];
                Array.Fill(expected, (byte)0x11);
                expected[at] = 0xee;
                Assert.Equal(expected, await AllAsync(clone));
            }

            await IsFilledAsync(vmo, 0, P, 0x11);
        }
    }

    [Theory, EveryDoor]
    public async Task C325_Children_are_the_direct_ones_and_committed_is_what_was_copied(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 4);
        var middle = await LiveAsync(vmo, 0, 4);
        var leaf = await LiveAsync(middle, 0, 4);
        await PutAsync(middle, 1, 20);
        await ShowsAsync(leaf, 1, 20, 3, 4);
        foreach (var (who, children, committed) in new[] { (vmo, 1, 4ul), (middle, 1, 1ul), (leaf, 0, 0ul) })
        {
            Assert.Equal(children, (await who.GetInfoAsync()).ChildCount);
            Assert.Equal(committed, await CommittedPagesAsync(who));
        }
    }
}
