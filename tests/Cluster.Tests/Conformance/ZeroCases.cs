using Xunit;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>ZERO, alone and in families of snapshots (semantics 4.11).</summary>
[Collection(ConformanceCollection.Name)]
public sealed class ZeroCases(ConformanceNode node) : Cases(node)
{
    [Theory, EveryDoor]
    public async Task C234_Zero_across_a_pages_border_keeps_both_halves(Door door)
    {
        var vmo = await CreateAsync(door, 2);
        await FillAsync(vmo, 0, 2 * P, 0xff);
        await vmo.ZeroAsync(new(P / 2, P));
        await IsFilledAsync(vmo, 0, P / 2, 0xff);
        await IsFilledAsync(vmo, P / 2, P, 0);
        await IsFilledAsync(vmo, P + (P / 2), P / 2, 0xff);
    }

    [Theory, EveryDoor]
    public async Task C235_Zero_of_what_is_empty_stores_nothing(Door door)
    {
        var vmo = await CreateAsync(door, 2);
        await vmo.ZeroAsync(new(P / 2, P));
        await ShowsAsync(vmo, 0, 0);
        Assert.Equal(0ul, await CommittedPagesAsync(vmo));
        await ChargedPagesAsync(0, vmo);
    }

    [Theory, EveryDoor]
    public async Task C236_Zero_frees_the_page_it_covers(Door door)
    {
        var vmo = await CreateAsync(door, 3);
        await FillAsync(vmo, 0, 3 * P, 0xff);
        await vmo.ZeroAsync(new(P / 2, 2 * P));
        Assert.Equal(2ul, await CommittedPagesAsync(vmo));
        await ChargedPagesAsync(2, vmo);
        await IsFilledAsync(vmo, P / 2, 2 * P, 0);
    }

    [Theory, EveryDoor]
    public async Task C239_Zeroed_on_both_sides_a_page_costs_no_more_than_its_frozen_copy(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 1);
        var child = await SnapshotAsync(vmo, 0, 1);
        Assert.Equal((P / 2, P / 2), (await ChargedAsync(vmo), await ChargedAsync(child)));
        await child.ZeroAsync(new(0, P));
        await ShowsAsync(vmo, 1);
        await ShowsAsync(child, 0);
        await ChargedPagesAsync(1, vmo, child);
        await vmo.ZeroAsync(new(0, P));
        await ShowsAsync(vmo, 0);
        await ShowsAsync(child, 0);
        await ChargedPagesAsync(0, 1, vmo, child);
        foreach (var side in new[] { vmo, child })
            Assert.Equal(0ul, await CommittedPagesAsync(side));
    }

    [Theory, EveryDoor]
    public async Task C240_A_zeroed_parent_stays_zero_when_its_child_is_closed(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 1);
        var child = await SnapshotAsync(vmo, 0, 1);
        await vmo.ZeroAsync(new(0, P));
        await ShowsAsync(child, 1);
        await ChargedPagesAsync(1, vmo, child);
        await child.CloseAsync();
        await BecomesChildlessAsync(vmo);
        await ShowsAsync(vmo, 0);
        await ChargedPagesAsync(0, 1, vmo);
    }

    [Theory, EveryDoor]
    public async Task C241_A_write_into_a_zeroed_page_uncovers_nothing_when_the_parent_is_gone(Door door)
    {
        var vmo = await CreateAsync(door, 2);
        await FillAsync(vmo, 0, 2 * P, 0xff);
        var child = await SnapshotAsync(vmo, 0, 2);
        await child.ZeroAsync(new(0, P));
        await vmo.CloseAsync();
        await ChargedPagesAsync(1, 2, child);
        await child.WriteAsync(64, new byte[] { 1 });
        await IsFilledAsync(child, 0, 64, 0);
        await IsFilledAsync(child, 64, 1, 1);
        await IsFilledAsync(child, 65, P - 65, 0);
        await IsFilledAsync(child, P, P, 0xff);
        await ChargedPagesAsync(2, 3, child);
    }

    [Theory, EveryDoor]
    public async Task C242_Writes_after_zeros_and_a_closed_child_uncover_nothing(Door door)
    {
        var vmo = await CreateAsync(door, 3);
        await FillAsync(vmo, 0, 3 * P, 0xff);
        var first = await SnapshotAsync(vmo, 0, 3);
        var second = await SnapshotAsync(vmo, 0, 3);
        await ChargedPagesAsync(3, vmo, first, second);
        await vmo.ZeroAsync(new(0, P));
        await first.ZeroAsync(new(P, P));
        await ChargedPagesAsync(3, vmo, first, second);
        await first.CloseAsync();
        await vmo.WriteAsync(64, new byte[] { 1 });
        await IsFilledAsync(vmo, 0, 64, 0);
        await IsFilledAsync(vmo, 65, P - 65, 0);
        await IsFilledAsync(vmo, P, 2 * P, 0xff);
        await second.ZeroAsync(new(2 * P, P));
        await second.WriteAsync((2 * P) + 64, new byte[] { 1 });
        await IsFilledAsync(second, 0, 2 * P, 0xff);
        await IsFilledAsync(second, 2 * P, 64, 0);
        await IsFilledAsync(second, (2 * P) + 65, P - 65, 0);
        await IsFilledAsync(vmo, P, 2 * P, 0xff);
    }

    [Theory, EveryDoor]
    public async Task C244_A_child_zeroes_and_then_writes(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 1);
        var child = await SnapshotAsync(vmo, 0, 1);
        await child.ZeroAsync(new(0, P));
        await PutAsync(child, 0, 1);
        await ShowsAsync(child, 1);
        await ChargedPagesAsync(2, vmo, child);
        await vmo.CloseAsync();
        await ShowsAsync(child, 1);
        await ChargedPagesAsync(1, 2, child);
    }

    [Theory, EveryDoor]
    public async Task C245_A_zeroed_parent_leaves_its_page_to_a_chain_of_clones(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 1);
        var child = await SnapshotAsync(vmo, 0, 1);
        var leaf = await SnapshotAsync(child, 0, 1);
        await ChargedPagesAsync(1, vmo, child, leaf);
        await vmo.ZeroAsync(new(0, P));
        await ShowsAsync(vmo, 0);
        await ShowsAsync(child, 1);
        await ShowsAsync(leaf, 1);
        await ChargedPagesAsync(1, vmo, child, leaf);
    }

    [Theory, EveryDoor]
    public async Task C246_Zero_of_nothing_is_done_anywhere_inside(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 1);
        foreach (var offset in new ulong[] { 0, 10, P })
            await vmo.ZeroAsync(new(offset, 0));
        await RefusedAsync(VmoStatus.OutOfRange, () => vmo.ZeroAsync(new(P + 1, 0)));
        await RefusedAsync(VmoStatus.OutOfRange, () => vmo.ZeroAsync(new(P - 1, 2)));
        await ShowsAsync(vmo, 1);
    }

    [Theory, EveryDoor]
    public async Task C249_Shrinking_over_what_was_zeroed_leaves_a_siblings_zeros(Door door)
    {
        var vmo = await CreateAsync(door, 4);
        await PutAsync(vmo, 2, 1);
        var clone = await SnapshotAsync(vmo, 0, 4);
        await vmo.ZeroAsync(new(2 * P, P));
        var sibling = await SnapshotAsync(vmo, 2, 1);
        await ShowsAsync(sibling, 0);
        await vmo.SetSizeAsync(P);
        await ShowsAsync(sibling, 0);
        await PutAsync(sibling, 0, 5);
        await ShowsAsync(sibling, 5);
        await ShowsAsync(clone, 0, 0, 1, 0);
    }

    [Theory, EveryDoor]
    public async Task C306_A_shared_page_that_is_zeroed_can_be_written_again_by_either(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 1);
        var clone = await SnapshotAsync(vmo, 0, 1);
        await vmo.WriteAsync(0, new byte[P]);
        await clone.WriteAsync(0, new byte[P]);
        await ShowsAsync(vmo, 0);
        await ShowsAsync(clone, 0);
        await clone.ZeroAsync(new(0, P));
        await ChargedPagesAsync(0, 1, vmo, clone);
        await PutAsync(vmo, 0, 2);
        await PutAsync(clone, 0, 3);
        await ShowsAsync(vmo, 2);
        await ShowsAsync(clone, 3);
    }
}
