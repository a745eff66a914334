using VmoCluster.Client;
using VmoCluster.Messages;
using Xunit;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>What is done to ranges: commit, decommit, prefetch, lookup (semantics 4.1, 4.5, 4.6, 4.15, 4.16).</summary>
[Collection(ConformanceCollection.Name)]
public sealed class OpRangeCases(ConformanceNode node) : Cases(node)
{
    [Theory, EveryDoor]
    public async Task C015_Commit_and_decommit_of_some_pages_and_of_all(Door door)
    {
        var vmo = await CreateAsync(door, 4);
        await vmo.CommitAsync(new(0, 4 * P));
        Assert.Equal(4ul, await CommittedPagesAsync(vmo));
        await vmo.DecommitAsync(new(0, 4 * P));
        Assert.Equal(0ul, await CommittedPagesAsync(vmo));
        await vmo.CommitAsync(new(0, 4 * P));
        await PutAsync(vmo, 1, 99);
        await vmo.DecommitAsync(new(0, P));
        await ShowsAsync(vmo, 0, 99, 0, 0);
        await vmo.DecommitAsync(new(P, P));
        await ShowsAsync(vmo, 0, 0, 0, 0);
        Assert.Equal(2ul, await CommittedPagesAsync(vmo));
    }

    [Theory, EveryDoor]
    public async Task C016_A_misaligned_decommit_is_refused_before_and_after_a_commit(Door door)
    {
        // E18 drops the whole page. Ruling: as today, since dropping the bytes beside the range is a loss.
        var vmo = await CreateAsync(door, 2);
        await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.DecommitAsync(new(0x10, 0x100)));
        await vmo.CommitAsync(new(0x10, 0x100));
        await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.DecommitAsync(new(0x10, 0x100)));
        Assert.Equal(1ul, await CommittedPagesAsync(vmo));
    }

    [Theory, EveryDoor]
    public async Task C096_A_commit_of_an_odd_size_is_one_page(Door door)
    {
        var vmo = await Client(door).CreateAsync(15);
        await vmo.CommitAsync(new(0, 15));
        Assert.Equal(1ul, await CommittedPagesAsync(vmo));
    }

    [Theory, EveryDoor]
    public async Task C104_Absent_pages_are_skipped_by_a_lookup(Door door)
    {
        // E18's kernel answered NO_MEMORY at the first absent page. Ruling: they are not listed.
        var vmo = await CreateAsync(door, 16);
        Assert.Empty(await LookupAsync(vmo, 0, 16));
        await PutAsync(vmo, 3, 1);
        Assert.Equal([new(new(3 * P, P), false, vmo.Koid)], await LookupAsync(vmo, 0, 16));
        Assert.Equal([new(new(3 * P, P), false, vmo.Koid)], await LookupAsync(vmo, 3, 4));
        Assert.Empty(await LookupAsync(vmo, 4, 12));
        await FillAsync(vmo, 0, 16 * P, 1);
        Assert.Equal([new(new(0, 16 * P), false, vmo.Koid)], await LookupAsync(vmo, 0, 16));
    }

    [Theory, EveryDoor]
    public async Task C132_A_commit_whose_end_wraps_is_out_of_range(Door door)
    {
        var vmo = await CreateAsync(door, 4);
        await RefusedAsync(VmoStatus.OutOfRange, () => vmo.CommitAsync(new(P, ulong.MaxValue - P + 1)));
        await RefusedAsync(VmoStatus.OutOfRange, () => vmo.CommitAsync(new((4 * P) + 1, 1)));
        Assert.Equal(0ul, await CommittedPagesAsync(vmo));
        await vmo.CommitAsync(new(0, 4 * P));
        Assert.Equal(4ul, await CommittedPagesAsync(vmo));
        await vmo.DecommitAsync(new(0, 4 * P));
        Assert.Equal(0ul, await CommittedPagesAsync(vmo));
    }

    [Theory, EveryDoor]
    public async Task C137_A_call_on_all_of_the_largest_VMO_costs_what_is_stored(Door door)
    {
        var vmo = await Client(door).CreateAsync(ulong.MaxValue - (64 * P) + 1);
        for (var page = 0; page < 16; page++)
            await PutAsync(vmo, (ulong)page << 47, page + 1);
        Assert.Equal(16, (await vmo.LookupAsync(ByteRange.All with { Length = await vmo.GetSizeAsync() }).ToListAsync()).Count);
        await vmo.ZeroAsync(new(0, await vmo.GetSizeAsync()));
        Assert.Equal(0ul, await CommittedPagesAsync(vmo));
    }

    [Theory, EveryDoor]
    public async Task C138_A_range_near_the_end_of_numbers_is_out_of_range_for_every_op(Door door)
    {
        var vmo = await CreateAsync(door, 4);
        foreach (var range in new[] { new ByteRange(P, ulong.MaxValue), new ByteRange(ulong.MaxValue - P + 1, 2 * P) })
        {
            foreach (var op in new[] { VmoOp.Commit, VmoOp.Decommit, VmoOp.Zero, VmoOp.Lookup })
                await RefusedAsync(VmoStatus.OutOfRange, () => vmo.OpRangeAsync(op, range));
        }
    }

    [Theory, EveryDoor]
    public async Task C139_Decommit_asks_for_whole_pages_and_commit_does_not(Door door)
    {
        var vmo = await CreateAsync(door, 2);
        foreach (var range in new[] { new ByteRange(0x10, 0x100), new ByteRange(0, 0x100), new ByteRange(0x10, P) })
            await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.DecommitAsync(range));
        await vmo.CommitAsync(new(0x10, 0x100));
        Assert.Equal(1ul, await CommittedPagesAsync(vmo));
    }

    [Theory, EveryDoor]
    public async Task C152_Prefetch_changes_nothing_and_stays_inside(Door door)
    {
        var vmo = await CreateTaggedAsync(door, 2);
        foreach (var range in new[] { new ByteRange(0, P), new ByteRange(0, 0), new ByteRange(4, 2), new ByteRange(P - 1, 2) })
            await vmo.OpRangeAsync(VmoOp.Prefetch, range);
        await ShowsAsync(vmo, 1, 2);
        foreach (var range in new[] { new ByteRange(0, 3 * P), new ByteRange(3 * P, 0) })
            await RefusedAsync(VmoStatus.OutOfRange, () => vmo.OpRangeAsync(VmoOp.Prefetch, range));
        var writing = await vmo.DuplicateAsync(VmoRights.Write);
        await RefusedAsync(VmoStatus.AccessDenied, () => writing.OpRangeAsync(VmoOp.Prefetch, new(0, P)));

        // The other hints are for a pager alone, and there is none.
        foreach (var op in new[] { VmoOp.AlwaysNeed, VmoOp.DontNeed })
            await RefusedAsync(VmoStatus.NotSupported, () => vmo.OpRangeAsync(op, new(0, P)));
    }

    [Theory, EveryDoor]
    public async Task C295_A_lookup_of_absent_pages_is_done_and_sees_nothing(Door door)
    {
        var vmo = await CreateAsync(door, 2);
        Assert.Empty(await LookupAsync(vmo, 0, 1));
        await PutAsync(vmo, 1, 1);
        Assert.Single(await LookupAsync(vmo, 0, 2));
        await RefusedAsync(VmoStatus.AccessDenied, async () => await LookupAsync(await vmo.DuplicateAsync(VmoRights.Write), 0, 2));
    }

    [Theory, EveryDoor]
    public async Task C297_A_lookup_through_a_clone_tells_whose_a_page_is(Door door)
    {
        // Upstream's clone lists its own pages only. Ruling, with the seed: an ancestor's pages are present too, and it says whose they are.
        var vmo = await CreateAsync(door, 4);
        await FillAsync(vmo, P, 2 * P, 1);
        foreach (var kind in new[] { VmoKind.Live, VmoKind.Snapshot })
        {
            var clone = await vmo.CloneAsync(kind);
            await PutAsync(clone, 0, 1);
            await PutAsync(clone, 3, 1);
            Assert.Equal(
                [new(new(0, P), false, clone.Koid), new(new(P, 2 * P), false, vmo.Koid), new(new(3 * P, P), false, clone.Koid)],
                await LookupAsync(clone, 0, 4));
        }
    }

    [Theory, EveryDoor]
    public async Task C300_Commits_of_a_clone_are_its_own(Door door)
    {
        var vmo = await CreateAsync(door, 4);
        await FillAsync(vmo, 0, 2 * P, 1);
        var clone = await SnapshotAsync(vmo, 1, 2);
        await ChargedPagesAsync(2, vmo, clone);
        await clone.CommitAsync(new(0, 2 * P));
        Assert.Equal(2ul, await CommittedPagesAsync(clone));

        // Of the two one was a page of the parent, which is copied; the other reads zero, for which no bytes are stored.
        await ChargedPagesAsync(2, 3, vmo, clone);
        await IsFilledAsync(clone, 0, P, 1);
        await IsFilledAsync(clone, P, P, 0);
    }

    [Theory, EveryDoor]
    public async Task C301_Committed_follows_commit_decommit_write_and_size(Door door)
    {
        var vmo = await CreateAsync(door, 4);
        foreach (var round in new[] { 0, 1 })
        {
            await vmo.CommitAsync(new(0, 4 * P));
            Assert.Equal(4ul, await CommittedPagesAsync(vmo));

            // Committed, but no bytes stored and nothing charged (ruling).
            await ChargedPagesAsync(0, vmo);
        }

        await vmo.DecommitAsync(new(0, 4 * P));
        Assert.Equal(0ul, await CommittedPagesAsync(vmo));
        await AllAsync(vmo);
        Assert.Equal(0ul, await CommittedPagesAsync(vmo));
        await FillAsync(vmo, 0, 2 * P, 1);
        Assert.Equal(2ul, await CommittedPagesAsync(vmo));
        await FillAsync(vmo, 0, 4 * P, 1);
        await ChargedPagesAsync(4, vmo);
        await vmo.SetSizeAsync(2 * P);
        Assert.Equal(2ul, await CommittedPagesAsync(vmo));
        await vmo.ZeroAsync(new(0, 2 * P));
        Assert.Equal(0ul, await CommittedPagesAsync(vmo));
        await ChargedPagesAsync(0, vmo);
    }

    [Theory, EveryDoor]
    public async Task C318_A_commit_that_begins_at_the_end_does_nothing(Door door)
    {
        var vmo = await CreateAsync(door, 2);
        await vmo.CommitAsync(new(2 * P, P));
        Assert.Equal(0ul, await CommittedPagesAsync(vmo));
        await vmo.CommitAsync(new(P, 5 * P));
        Assert.Equal(1ul, await CommittedPagesAsync(vmo));
    }

    [Theory, EveryDoor]
    public async Task C319_A_decommit_across_a_pages_border_keeps_both_pages(Door door)
    {
        // E18 drops both. Ruling: INVALID_ARGS.
        var vmo = await CreateTaggedAsync(door, 2);
        await RefusedAsync(VmoStatus.InvalidArgs, () => vmo.DecommitAsync(new(P - 1, 2)));
        await ShowsAsync(vmo, 1, 2);
    }

    private static async Task<List<LookupRun>> LookupAsync(Vmo vmo, ulong firstPage, ulong pages) =>
        await vmo.LookupAsync(new(firstPage * P, pages * P)).ToListAsync();
}
