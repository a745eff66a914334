using System.Buffers.Binary;
using VmoCluster.Client;
using Xunit;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>The seed's clones: they follow their parent, page by page (semantics 4.1, 4.13).</summary>
[Collection(ConformanceCollection.Name)]
public sealed class LiveCloneCases(ConformanceNode node) : Cases(node)
{
    [Theory, EveryDoor]
    public async Task C022_Clones_and_a_clone_of_a_clone_have_the_name_and_outlive_the_original(Door door)
    {
        var vmo = await CreateAsync(door, 1, "test1");
        var first = await LiveAsync(vmo, 0, 1);
        var second = await LiveAsync(vmo, 0, 1);
        var third = await LiveAsync(second, 0, 1);
        Assert.Equal("test1", await first.GetNameAsync());
        await CloseAsync(vmo, first, second, third);
        await RefusedAsync(VmoStatus.BadHandle, () => third.GetSizeAsync());
    }

    [Theory, EveryDoor]
    public async Task C025_A_clone_at_an_offset_beyond_its_parents_end_sees_it_grow_and_vanish(Door door)
    {
        var vmo = await CreateAsync(door, 4);
        var words = new byte[4 * P];
        for (var at = 0; at < words.Length; at += 4)
            BinaryPrimitives.WriteInt32LittleEndian(words.AsSpan(at), at / 4);
        await vmo.WriteAsync(0, words);
        await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync(VmoKind.Live, 1, 4 * P));

        var clone = await LiveAsync(vmo, 1, 4);
        var shifted = words.Skip((int)P).Concat(new byte[P]).ToArray();
        Assert.Equal(shifted, await AllAsync(clone));
        await vmo.SetSizeAsync(5 * P);
        await IsFilledAsync(clone, 3 * P, P, 0);
        await PutAsync(vmo, 4, 99);
        Assert.Equal(99, await WordAsync(clone, 3));
        await vmo.SetSizeAsync(6 * P);
        await vmo.SetSizeAsync(0);
        await ShowsAsync(clone, 0, 0, 0, 0);
    }

    [Theory, EveryDoor]
    public async Task C026_Decommit_shows_the_parents_page_again_and_a_write_copies_it_again(Door door)
    {
        var vmo = await CreateAsync(door, 2);
        await PutAsync(vmo, 0, 99);
        var clone = await LiveAsync(vmo, 0, 2);
        await ShowsAsync(clone, 99, 0);
        foreach (var round in new[] { 0, 1 })
        {
            await PutAsync(clone, 0, 100);
            await ShowsAsync(clone, 100, 0);
            await ShowsAsync(vmo, 99, 0);
            await clone.DecommitAsync(new(0, P));
            await ShowsAsync(clone, 99, 0);
            await ShowsAsync(vmo, 99, 0);
            Assert.Equal(0ul, await CommittedPagesAsync(clone));
        }

        // Followed again, not shown once: what the parent does next is seen.
        await PutAsync(vmo, 0, 101);
        await ShowsAsync(clone, 101, 0);
    }

    [Theory, EveryDoor]
    public async Task C027_Commit_copies_the_parents_page(Door door)
    {
        var vmo = await CreateAsync(door, 2);
        await FillAsync(vmo, 0, P, 0x99);
        var clone = await LiveAsync(vmo, 0, 2);
        await IsFilledAsync(clone, 0, P, 0x99);
        await clone.CommitAsync(new(0, P));
        await IsFilledAsync(clone, 0, P, 0x99);
        Assert.Equal(1ul, await CommittedPagesAsync(clone));
        await PutAsync(clone, 0, 0);
        Assert.Equal(0, await WordAsync(clone, 0));
        await IsFilledAsync(clone, 4, P - 4, 0x99);
        await IsFilledAsync(vmo, 0, P, 0x99);
        await clone.DecommitAsync(new(0, P));
        await IsFilledAsync(clone, 0, P, 0x99);
    }

    [Theory, EveryDoor]
    public async Task C031_A_clone_is_read_and_written_when_its_parent_has_shrunk_to_nothing(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 2);
        var clone = await LiveAsync(vmo, 0, 2);
        await vmo.SetSizeAsync(0);
        Assert.Equal(2 * P, await clone.GetSizeAsync());
        await ShowsAsync(clone, 0, 0);
        await PutAsync(clone, 1, 5);
        await ShowsAsync(clone, 0, 5);
    }

    [Theory, EveryDoor]
    public async Task C280_A_live_clone_sees_the_root_and_nobody_else_sees_a_clones_write(Door door)
    {
        // Upstream's tree needs a pager; the same asked of a live clone, its own clone and a snapshot of the root.
        var vmo = await CreateTaggedAsync(door, 1);
        var clone = await LiveAsync(vmo, 0, 1);
        var leaf = await LiveAsync(clone, 0, 1);
        var snapshot = await SnapshotAsync(vmo, 0, 1);
        await PutAsync(vmo, 0, 10);
        foreach (var (who, word) in new[] { (vmo, 10), (clone, 10), (leaf, 10), (snapshot, 1) })
            await ShowsAsync(who, word);
        await PutAsync(leaf, 0, 30);
        await PutAsync(snapshot, 0, 40);
        foreach (var (who, word) in new[] { (vmo, 10), (clone, 10), (leaf, 30), (snapshot, 40) })
            await ShowsAsync(who, word);
        await PutAsync(clone, 0, 20);
        foreach (var (who, word) in new[] { (vmo, 10), (clone, 20), (leaf, 30), (snapshot, 40) })
            await ShowsAsync(who, word);
    }

    [Theory, EveryDoor]
    public async Task C281_Whoever_of_a_family_is_closed_the_others_keep_the_data(Door door)
    {
        foreach (var closed in new[] { 0, 1, 2 })
        {
            // Upstream's snapshot is of a clone of a pager's root; ours is a chain of two snapshots, and beside it one of live clones.
            foreach (var kind in new[] { VmoKind.Snapshot, VmoKind.Live })
            {
                var vmo = await CreateTaggedAsync(door, 1);
                var clone = await vmo.CloneAsync(kind);
                var leaf = await clone.CloneAsync(kind);
                Vmo[] family = [vmo, clone, leaf];
                await family[closed].CloseAsync();
                foreach (var survivor in family.Where((_, at) => at != closed))
                    await ShowsAsync(survivor, 1);
            }
        }
    }
}
