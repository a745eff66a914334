using VmoCluster.Client;
using Xunit;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>Snapshots: isolation, windows, closing and what it costs (semantics 4.7, 4.8).</summary>
[Collection(ConformanceCollection.Name)]
public sealed class SnapshotCases(ConformanceNode node) : Cases(node)
{
    [Theory, EveryDoor]
    public async Task C155_Decommit_on_a_snapshot_shows_the_frozen_page_again_and_on_its_parent_zeros(Door door)
    {
        // Upstream refuses both. Ruling: the seed's rule, extended; a root reads zero, snapshotted or not.
        var vmo = await CreateTaggedAsync(door, 2);
        var clone = await SnapshotAsync(vmo, 0, 2);
        await PutAsync(clone, 0, 10);
        await clone.DecommitAsync(new(0, P));
        await ShowsAsync(clone, 1, 2);
        await vmo.DecommitAsync(new(0, P));
        await ShowsAsync(vmo, 0, 2);
        await ShowsAsync(clone, 1, 2);
        await clone.CloseAsync();
        await vmo.DecommitAsync(new(P, P));
        await ShowsAsync(vmo, 0, 0);
    }

    [Theory, EveryDoor]
    public async Task C156_Commit_on_a_snapshot_keeps_what_it_shows(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        var clone = await SnapshotAsync(vmo, 0, 1);
        await FillAsync(vmo, 0, P, 0x99);
        await IsFilledAsync(clone, 0, P, 0);
        await clone.CommitAsync(new(0, P));
        await IsFilledAsync(clone, 0, P, 0);
        await FillAsync(clone, 0, P, 0x44);
        await IsFilledAsync(clone, 0, P, 0x44);
        await IsFilledAsync(vmo, 0, P, 0x99);
    }

    [Theory, EveryDoor]
    public async Task C161_Both_read_what_was_there(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        await PutAsync(vmo, 0, unchecked((int)0xdeadbeef));
        var clone = await SnapshotAsync(vmo, 0, 1);
        await ShowsAsync(vmo, unchecked((int)0xdeadbeef));
        await ShowsAsync(clone, unchecked((int)0xdeadbeef));
    }

    [Theory, EveryDoor]
    public async Task C162_What_either_side_writes_the_other_does_not_see(Door door)
    {
        foreach (var isParentTheWriter in new[] { false, true })
        {
            var vmo = await CreateAsync(door, 1);
            await PutAsync(vmo, 0, 0x0dadbeef);
            var clone = await SnapshotAsync(vmo, 0, 1);
            var (writer, other) = isParentTheWriter ? (vmo, clone) : (clone, vmo);
            await PutAsync(writer, 0, 0xc0ffee);
            await ShowsAsync(writer, 0xc0ffee);
            await ShowsAsync(other, 0x0dadbeef);
        }
    }

    [Theory, EveryDoor]
    public async Task C164_Whichever_is_closed_the_other_keeps_the_data(Door door)
    {
        foreach (var isParentClosed in new[] { false, true })
        {
            var vmo = await CreateTaggedAsync(door, 1);
            var clone = await SnapshotAsync(vmo, 0, 1);
            var (closed, other) = isParentClosed ? (vmo, clone) : (clone, vmo);
            await closed.CloseAsync();
            await ShowsAsync(other, 1);
            await PutAsync(other, 0, 2);
            await ShowsAsync(other, 2);
        }
    }

    [Theory, EveryDoor]
    public async Task C165_Shared_pages_are_split_and_copies_are_their_writers(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 2);
        var clone = await SnapshotAsync(vmo, 0, 2);
        Assert.Equal((P, P), (await ChargedAsync(vmo), await ChargedAsync(clone)));
        await PutAsync(vmo, 0, 10);
        await ChargedPagesAsync(3, vmo, clone);
        Assert.InRange(await ChargedAsync(vmo), P, 2 * P);
        await PutAsync(clone, 1, 20);
        await ChargedPagesAsync(4, vmo, clone);
        Assert.Equal((2 * P, 2 * P), (await ChargedAsync(vmo), await ChargedAsync(clone)));
        await PutAsync(vmo, 0, 11);
        await PutAsync(clone, 1, 21);
        await ChargedPagesAsync(4, vmo, clone);
        Assert.Equal(1ul, await CommittedPagesAsync(clone));
    }

    [Theory, EveryDoor]
    public async Task C166_Who_writes_a_page_that_nobody_has_pays_for_it_alone(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        var first = await SnapshotAsync(vmo, 0, 1);
        var second = await SnapshotAsync(vmo, 0, 1);
        var leaf = await SnapshotAsync(first, 0, 1);
        Vmo[] family = [vmo, first, second, leaf];
        for (var writer = 0; writer < family.Length; writer++)
        {
            await PutAsync(family[writer], 0, writer + 1);
            for (var who = 0; who < family.Length; who++)
            {
                await ShowsAsync(family[who], who <= writer ? who + 1 : 0);
                await ChargedPagesAsync(who <= writer ? 1ul : 0, family[who]);
            }
        }
    }

    [Theory, EveryDoor]
    public async Task C167_A_page_that_both_clones_of_a_chain_forked_outlives_root_and_middle(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 1);
        var middle = await SnapshotAsync(vmo, 0, 1);
        var leaf = await SnapshotAsync(middle, 0, 1);
        await PutAsync(middle, 0, 3);
        await PutAsync(leaf, 0, 4);
        await vmo.CloseAsync();
        await ShowsAsync(middle, 3);
        await ShowsAsync(leaf, 4);
        await ChargedPagesAsync(2, 3, middle, leaf);
        await middle.CloseAsync();
        await ShowsAsync(leaf, 4);
        await ChargedPagesAsync(1, 2, leaf);
    }

    [Theory, EveryDoor]
    public async Task C169_Two_clones_of_a_clone_at_an_offset_keep_their_pages_when_it_goes(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 4);
        var offset = await SnapshotAsync(vmo, 1, 3);
        await ShowsAsync(offset, 2, 3, 4);
        var left = await SnapshotAsync(offset, 0, 2);
        var right = await SnapshotAsync(offset, 2, 1);
        await PutAsync(offset, 1, 30);
        await ShowsAsync(offset, 2, 30, 4);
        await offset.CloseAsync();
        await ShowsAsync(left, 2, 3);
        await ShowsAsync(right, 4);
        await ChargedPagesAsync(4, vmo, left, right);
        await left.CloseAsync();
        await ChargedPagesAsync(4, vmo, right);
        await right.CloseAsync();
        await BecomesChildlessAsync(vmo);
        await ShowsAsync(vmo, 1, 2, 3, 4);
        await ChargedPagesAsync(4, vmo);
    }

    [Theory, EveryDoor]
    public async Task C170_A_clone_that_reaches_beyond_the_data_is_written_step_by_step(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 2);
        var clone = await SnapshotAsync(vmo, 1, 2);
        await ShowsAsync(clone, 2, 0);
        await PutAsync(clone, 0, 3);
        await ChargedPagesAsync(3, vmo, clone);
        var beyond = await SnapshotAsync(clone, 1, 1);
        await ShowsAsync(beyond, 0);

        // Upstream this costs nothing: it sees that the second clone does not look at the page. A frozen layer keeps it.
        await PutAsync(clone, 0, 4);
        await ChargedPagesAsync(3, 4, vmo, clone, beyond);
        await CloseAsync(vmo, beyond);
        await ShowsAsync(clone, 4, 0);
        await ChargedPagesAsync(1, 4, clone);
    }

    [Theory, EveryDoor]
    public async Task C171_Each_clone_is_larger_than_its_parent(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 1);
        var clone = await SnapshotAsync(vmo, 0, 2);
        await ShowsAsync(clone, 1, 0);
        Assert.Equal((P / 2, P / 2), (await ChargedAsync(vmo), await ChargedAsync(clone)));
        await PutAsync(clone, 1, 2);
        await ChargedPagesAsync(2, vmo, clone);
        var larger = await SnapshotAsync(clone, 0, 3);
        await ShowsAsync(larger, 1, 2, 0);
        await ChargedPagesAsync(2, vmo, clone, larger);
        await PutAsync(larger, 2, 3);
        await ShowsAsync(larger, 1, 2, 3);
        await ChargedPagesAsync(3, vmo, clone, larger);
        await PutAsync(larger, 0, 10);
        await PutAsync(larger, 1, 20);
        await ShowsAsync(larger, 10, 20, 3);
        await ShowsAsync(clone, 1, 2);
        await ChargedPagesAsync(5, vmo, clone, larger);
        await clone.CloseAsync();
        await ShowsAsync(vmo, 1);
        await ShowsAsync(larger, 10, 20, 3);
        await ChargedPagesAsync(4, 5, vmo, larger);
    }

    [Theory, EveryDoor]
    public async Task C172_A_clone_wholly_beyond_its_parents_end_is_empty(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 1);
        var clone = await SnapshotAsync(vmo, 2, 2);
        await ShowsAsync(clone, 0, 0);
        await ChargedPagesAsync(1, vmo, clone);
        await PutAsync(clone, 1, 2);
        var larger = await SnapshotAsync(clone, 0, 3);
        await ShowsAsync(larger, 0, 2, 0);
        await ChargedPagesAsync(2, vmo, clone, larger);
        await PutAsync(larger, 2, 3);
        await ShowsAsync(larger, 0, 2, 3);
        await ShowsAsync(clone, 0, 2);
        await ChargedPagesAsync(3, vmo, clone, larger);
    }

    [Theory, EveryDoor]
    public async Task C174_A_clone_of_a_small_clone_does_not_see_past_its_end(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 3);
        var small = await SnapshotAsync(vmo, 1, 1);
        var larger = await SnapshotAsync(small, 0, 2);
        await ShowsAsync(larger, 2, 0);
    }

    [Theory, EveryDoor]
    public async Task C175_Small_clones_of_different_parts_keep_them(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 3);
        var tail = await SnapshotAsync(vmo, 1, 2);
        await PutAsync(tail, 1, 4);
        var head = await SnapshotAsync(vmo, 0, 1);
        await ShowsAsync(tail, 2, 4);
        await ShowsAsync(head, 1);
        await ShowsAsync(vmo, 1, 2, 3);
        await ChargedPagesAsync(4, vmo, tail, head);
        await vmo.CloseAsync();
        await ShowsAsync(tail, 2, 4);
        await ShowsAsync(head, 1);
        await ChargedPagesAsync(3, 4, tail, head);
    }

    [Theory, EveryDoor]
    public async Task C176_Leaves_of_disjoint_pages_outlive_their_ancestors(Door door)
    {
        foreach (var isClosedEarly in new[] { true, false })
        {
            var (ancestors, leaves) = await DisjointAsync(door);
            if (isClosedEarly)
                await CloseAsync(ancestors);
            for (var leaf = 0; leaf < leaves.Length; leaf++)
            {
                await ShowsAsync(leaves[leaf], leaf + 1);
                await PutAsync(leaves[leaf], 0, leaf + 5);
            }

            if (!isClosedEarly)
                await CloseAsync(ancestors);
            for (var leaf = 0; leaf < leaves.Length; leaf++)
            {
                await ShowsAsync(leaves[leaf], leaf + 5);
                Assert.Equal(1ul, await CommittedPagesAsync(leaves[leaf]));
            }

            await ChargedPagesAsync(4, 8, leaves);
        }
    }

    [Theory, EveryDoor]
    public Task C177_Leaves_of_disjoint_pages_are_closed_in_every_order(Door door)
    {
        // Families know nothing of each other: the orders go side by side.
        return Task.WhenAll(Orders(4).Select(CloseInOrderAsync));

        async Task CloseInOrderAsync(int[] order)
        {
            var (ancestors, leaves) = await DisjointAsync(door);
            await CloseAsync(ancestors);
            for (var closed = 0; closed < order.Length; closed++)
            {
                foreach (var leaf in order[closed..])
                    await ShowsAsync(leaves[leaf], leaf + 1);
                var left = order[closed..].Select(leaf => leaves[leaf]).ToArray();
                await ChargedPagesAsync((ulong)left.Length, 4, left);
                await leaves[order[closed]].CloseAsync();
            }
        }
    }

    /// <summary>Four pages, a clone of each: the last two through a clone of both.</summary>
    private async Task<(Vmo[] Ancestors, Vmo[] Leaves)> DisjointAsync(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 4);
        var half = await SnapshotAsync(vmo, 2, 2);
        return ([vmo, half], [await SnapshotAsync(vmo, 0, 1), await SnapshotAsync(vmo, 1, 1), await SnapshotAsync(half, 0, 1), await SnapshotAsync(half, 1, 1)]);
    }
}
