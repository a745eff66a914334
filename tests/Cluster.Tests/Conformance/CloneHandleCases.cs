using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>Rights, names, sizes that cannot change, children and their signal (semantics 4.1, 4.2, 4.6 to 4.8).</summary>
[Collection(ConformanceCollection.Name)]
public sealed class CloneHandleCases(ConformanceNode node) : Cases(node)
{
    [Theory, EveryDoor]
    public async Task C010_A_fixed_clone_of_a_resizable_parent_stays_as_it_is(Door door)
    {
        var vmo = await CreateAsync(door, 4);
        var clone = await vmo.CloneAsync(3, 0, 4 * P);
        await RefusedAsync(VmoStatus.Unavailable, () => clone.SetSizeAsync(5 * P));
        await RefusedAsync(VmoStatus.Unavailable, () => clone.SetSizeAsync(3 * P));
        Assert.Equal(4 * P, await clone.GetSizeAsync());
        Assert.False((await clone.GetInfoAsync()).IsResizable);
        await vmo.SetSizeAsync(5 * P);
    }

    [Theory, EveryDoor]
    public async Task C035_The_signal_is_clear_while_a_child_or_what_a_closed_child_left_lives(Door door)
    {
        var vmo = await CreateAsync(door, 2);
        for (var round = 0; round < 10; round++)
        {
            await BecomesChildlessAsync(vmo);
            var clone = await LiveAsync(vmo, 0, 1);
            await HasChildrenAsync(vmo, 1);
            await BecomesChildlessAsync(clone);
            var leaf = await LiveAsync(clone, 0, 1);
            await HasChildrenAsync(vmo, 1);
            await HasChildrenAsync(clone, 1);
            await BecomesChildlessAsync(leaf);
            await clone.CloseAsync();
            await HasChildrenAsync(vmo, 1);
            await BecomesChildlessAsync(leaf);
            await leaf.CloseAsync();
        }

        await BecomesChildlessAsync(vmo);
    }

    [Theory, EveryDoor]
    public async Task C121_Any_kind_can_be_made_resizable_from_a_fixed_parent_and_the_other_way_round(Door door)
    {
        // There is no right to resize here, and resizable is what a clone is unless asked otherwise (rulings).
        foreach (var kind in new[] { VmoKind.Live, VmoKind.Snapshot })
        {
            var vmo = await CreateFixedAsync(door, 4);
            var clone = await vmo.CloneAsync(kind);
            await clone.SetSizeAsync(5 * P);
            Assert.Equal(5 * P, await clone.GetSizeAsync());
            var still = await vmo.CloneAsync(kind, options: new() { NonResizable = true });
            await RefusedAsync(VmoStatus.Unavailable, () => still.SetSizeAsync(5 * P));
        }
    }

    [Theory, EveryDoor]
    public async Task C130_A_childs_rights_are_its_parents_handles_and_write(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        const VmoRights needed = VmoRights.Read | VmoRights.Duplicate;
        VmoRights[] more = [VmoRights.None, VmoRights.Write, VmoRights.Map, VmoRights.GetProperty | VmoRights.SetProperty, VmoRights.Wait | VmoRights.Transfer];
        foreach (var rights in more.Select(right => needed | right))
        {
            var narrow = await vmo.DuplicateAsync(rights);
            foreach (var kind in new[] { VmoKind.Live, VmoKind.Snapshot })
            {
                Assert.Equal(rights | VmoRights.Write, (await (await narrow.CloneAsync(kind)).GetInfoAsync()).Rights);
                var closed = await narrow.CloneAsync(kind, options: new() { NoWrite = true });
                Assert.Equal(rights & ~VmoRights.Write, (await closed.GetInfoAsync()).Rights);
            }
        }

        await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync(VmoKind.Snapshot, options: new() { Rights = VmoRights.Execute }));
    }

    [Theory, EveryDoor]
    public async Task C147_A_child_without_write_has_a_fixed_size(Door door)
    {
        // Upstream refuses NO_WRITE with RESIZABLE. Here resizable is the default and no flag, so NO_WRITE makes the child fixed.
        foreach (var kind in new[] { VmoKind.Live, VmoKind.Snapshot })
        {
            foreach (var vmo in new[] { await CreateAsync(door, 1), await CreateFixedAsync(door, 1) })
            {
                var clone = await vmo.CloneAsync(kind, options: new() { NoWrite = true });
                Assert.False((await clone.GetInfoAsync()).IsResizable);
                await RefusedAsync(VmoStatus.AccessDenied, () => clone.SetSizeAsync(2 * P));
            }
        }
    }

    [Theory, EveryDoor]
    public async Task C154_A_clone_has_its_parents_name_where_the_handle_may_read_it(Door door)
    {
        var vmo = await CreateAsync(door, 1, "test1");
        foreach (var kind in new[] { VmoKind.Live, VmoKind.Snapshot })
        {
            var clone = await vmo.CloneAsync(kind);
            Assert.Equal("test1", await clone.GetNameAsync());
            await vmo.SetNameAsync("test2");
            Assert.Equal("test1", await clone.GetNameAsync());
            await clone.SetNameAsync("test3");
            Assert.Equal("test2", await vmo.GetNameAsync());
            await vmo.SetNameAsync("test1");
            var narrow = await vmo.DuplicateAsync(VmoRights.Read | VmoRights.Duplicate);
            await narrow.CloneAsync(kind);
        }
    }

    [Theory, EveryDoor]
    public async Task C157_A_clone_through_a_reading_handle_may_be_written_and_no_more(Door door)
    {
        // Ruling: the handle's rights and WRITE; the seed's code added the property rights, its text does not.
        var vmo = await CreateTaggedAsync(door, 1);
        var reading = await vmo.DuplicateAsync(VmoRights.Read | VmoRights.Duplicate);
        foreach (var kind in new[] { VmoKind.Live, VmoKind.Snapshot })
        {
            var clone = await reading.CloneAsync(kind);
            const VmoRights expected = VmoRights.Read | VmoRights.Duplicate | VmoRights.Write;
            Assert.Equal(expected, clone.Rights);
            Assert.Equal(expected, (await clone.GetInfoAsync()).Rights);
            await PutAsync(clone, 0, 2);
            await ShowsAsync(clone, 2);
            await ShowsAsync(vmo, 1);
        }

        await RefusedAsync(VmoStatus.AccessDenied, () => PutAsync(reading, 0, 3));
    }

    [Theory, EveryDoor]
    public async Task C159_Without_write_a_child_is_read_and_not_changed(Door door)
    {
        // There is no IMMUTABLE flag here: that nobody can write is in the rights, which nothing can widen.
        var vmo = await CreateTaggedAsync(door, 1);
        foreach (var kind in new[] { VmoKind.Live, VmoKind.Snapshot })
        {
            var clone = await vmo.CloneAsync(kind, options: new() { NoWrite = true });
            await ShowsAsync(clone, 1);
            await RefusedAsync(VmoStatus.AccessDenied, () => PutAsync(clone, 0, 2));
            await RefusedAsync(VmoStatus.AccessDenied, () => clone.ZeroAsync(new(0, P)));
            await RefusedAsync(VmoStatus.InvalidArgs, () => clone.DuplicateAsync(VmoRights.Read | VmoRights.Write));
            var open = await vmo.CloneAsync(kind);
            await PutAsync(open, 0, 2);
            await ShowsAsync(clone, 1);
        }
    }

    [Theory, EveryDoor]
    public async Task C160_A_clone_is_another_object_that_names_its_parent(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        var before = await vmo.GetInfoAsync();
        foreach (var kind in new[] { VmoKind.Live, VmoKind.Snapshot })
        {
            var clone = await vmo.CloneAsync(kind);
            var (parent, child) = (await vmo.GetInfoAsync(), await clone.GetInfoAsync());
            Assert.Equal((before.Koid, Koid.None, VmoKind.Root), (parent.Koid, parent.Parent, parent.Kind));
            Assert.Equal((vmo.Koid, kind), (child.Parent, child.Kind));
            Assert.NotEqual(vmo.Koid, child.Koid);
        }
    }

    [Theory, EveryDoor]
    public async Task C185_A_clone_clears_the_signal_before_it_is_told_and_has_its_own(Door door)
    {
        foreach (var kind in new[] { VmoKind.Live, VmoKind.Snapshot })
        {
            var vmo = await CreateAsync(door, 1);
            await BecomesChildlessAsync(vmo);
            var clone = await vmo.CloneAsync(kind);
            await HasChildrenAsync(vmo, 1);
            await BecomesChildlessAsync(clone);
            await clone.CloseAsync();
            await BecomesChildlessAsync(vmo);
        }
    }

    [Theory, EveryDoor]
    public async Task C186_Children_are_counted_up_and_down_in_either_order(Door door)
    {
        foreach (var isReversed in new[] { false, true })
        {
            var vmo = await CreateTaggedAsync(door, 1);
            var clones = new List<Vmo>();
            for (var count = 1; count <= 5; count++)
            {
                clones.Add(await SnapshotAsync(vmo, 0, 1));
                await HasChildrenAsync(vmo, count);
            }

            if (isReversed)
                clones.Reverse();
            foreach (var (clone, left) in clones.Select((clone, at) => (clone, 4 - at)))
            {
                await ShowsAsync(clone, 1);
                await clone.CloseAsync();
                await Eventually.UntilAsync($"{left} children", async () => (await vmo.GetInfoAsync()).ChildCount == left);
            }

            await BecomesChildlessAsync(vmo);
        }
    }
}
