using Xunit;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>Slices and references together with what else a VMO has (semantics 4.10, 4.15); the rest of theirs is in SliceTests and ReferenceTests.</summary>
[Collection(ConformanceCollection.Name)]
public sealed class AliasCases(ConformanceNode node) : Cases(node)
{
    [Theory, EveryDoor]
    public async Task C221_A_snapshot_of_a_reference_is_its_child_and_isolated_from_later_writes_both_ways(Door door)
    {
        var root = await CreateTaggedAsync(door, 2);
        var reference = await root.CloneAsync(VmoKind.Reference);
        var snapshot = await SnapshotAsync(reference, 0, 2);
        Assert.Equal(reference.Koid, (await snapshot.GetInfoAsync()).Parent);
        await PutAsync(root, 0, 10);
        await PutAsync(reference, 1, 20);
        await ShowsAsync(snapshot, 1, 2);
        await PutAsync(snapshot, 0, 30);
        await ShowsAsync(root, 10, 20);
        await ShowsAsync(reference, 10, 20);

        // And of a reference to a live clone: what the clone shows, the root's page included.
        var clone = await LiveAsync(root, 0, 2);
        await PutAsync(clone, 1, 40);
        var second = await SnapshotAsync(await clone.CloneAsync(VmoKind.Reference), 0, 2);
        await PutAsync(root, 0, 50);
        await ShowsAsync(clone, 50, 40);
        await ShowsAsync(second, 10, 40);
        await CloseAsync(reference, snapshot, second);
    }

    [Theory, EveryDoor]
    public async Task C230_Streams_over_two_references_see_each_others_bytes(Door door)
    {
        var vmo = await CreateAsync(door, 1);
        await using var first = (await vmo.CloneAsync(VmoKind.Reference)).OpenStream();
        await using var second = (await vmo.CloneAsync(VmoKind.Reference)).OpenStream();
        await first.WriteAsync(new byte[] { 1, 2, 3 });
        await first.FlushAsync();
        var found = new byte[3];
        await second.ReadExactlyAsync(found);
        Assert.Equal([1, 2, 3], found);
        await second.WriteAsync(new byte[] { 4, 5, 6 });
        await second.FlushAsync();
        await first.ReadExactlyAsync(found);
        Assert.Equal([4, 5, 6], found);
    }

    [Theory, EveryDoor]
    public async Task C296_A_lookup_through_a_slice_tells_its_own_offsets(Door door)
    {
        var vmo = await CreateFixedAsync(door, 8);
        await PutAsync(vmo, 4, 1);
        var slice = await vmo.CloneAsync(VmoKind.Slice, P, 4 * P);
        var run = Assert.Single(await slice.LookupAsync(new(0, 4 * P)).ToListAsync());
        Assert.Equal(new ByteRange(3 * P, P), run.Range);
    }
}
