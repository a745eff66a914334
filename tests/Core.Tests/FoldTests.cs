using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>P1, P7: what folding layers must not change, case by case; random families are in <see cref="FamilyAgainstModelTests"/>.</summary>
public class FoldTests
{
    private const ulong Page = Limits.PageBytes;

    [Fact]
    public void What_a_shrunk_snapshot_has_cut_off_does_not_show_again_when_a_page_above_it_is_decommitted()
    {
        var family = new SimFamily(1);
        var root = family.CreateRoot(32 * Page);
        Write(family, root, 12, 1);
        var child = Snapshot(family, root, 32);
        Assert.Equal(Outcome.Ok, family.SetSize(child, 8 * Page));
        Assert.Equal(Outcome.Ok, family.SetSize(child, 16 * Page));
        Write(family, child, 12, 5);
        Snapshot(family, child, 16);
        Assert.Equal(Outcome.Ok, family.Op(child, VmoOp.Decommit, 12 * Page, Page));
        Assert.Equal(0, Read(family, child, 12));
    }

    [Fact]
    public void What_was_cut_off_stays_so_when_the_layer_that_cut_it_off_is_folded()
    {
        var family = new SimFamily(1);
        var vmo = family.CreateRoot(32 * Page);
        Write(family, vmo, 20, 1);
        var kept = Snapshot(family, vmo, 32);
        Assert.Equal(Outcome.Ok, family.SetSize(vmo, 8 * Page));
        Assert.Equal(Outcome.Ok, family.SetSize(vmo, 32 * Page));
        Drop(family, vmo);
        Write(family, vmo, 1, 2);
        Drop(family, vmo);
        family.Settle();
        Assert.Equal(3, family.Store.Layers.Count(layer => layer.Home == vmo.Koid));
        Assert.Equal(0, Read(family, vmo, 20));
        Assert.Equal(2, Read(family, vmo, 1));
        Assert.Equal(1, Read(family, kept, 20));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Whatever_a_crash_leaves_of_a_fold_is_finished_by_the_next_owner(int seed)
    {
        for (var steps = 0; steps < 40; steps++)
        {
            var family = new SimFamily(seed);
            var vmo = family.CreateRoot(32 * Page);
            for (byte round = 1; round <= 4; round++)
            {
                Write(family, vmo, round, round);
                Drop(family, vmo);
            }

            family.RunSome(steps);
            for (var silo = 0; silo < 3; silo++)
                family.Crash(silo);
            family.Settle();
            // The top, and one layer of all that was frozen.
            Assert.Equal(2, family.Store.Layers.Count());
            Assert.Equal(4, family.Store.BlobPages);
            Assert.All(Enumerable.Range(1, 4), page => Assert.Equal(page, Read(family, vmo, (ulong)page)));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_a_crash_leaves_of_taking_over_what_closed_ancestors_held_is_finished_or_undone(int seed)
    {
        for (var steps = 0; steps < 60; steps++)
        {
            var family = new SimFamily(seed);
            var vmo = family.CreateRoot(32 * Page);
            for (byte round = 1; round <= 4; round++)
            {
                Write(family, vmo, round, round);
                var child = Snapshot(family, vmo, 32);
                Assert.Equal(Outcome.Ok, family.Close(vmo));
                vmo = child;
            }

            family.RunSome(steps);
            for (var silo = 0; silo < 3; silo++)
                family.Crash(silo);
            family.Settle();
            Assert.Equal(4, family.Store.BlobPages);
            Assert.All(Enumerable.Range(1, 4), page => Assert.Equal(page, Read(family, vmo, (ulong)page)));
            Assert.Equal(Outcome.Ok, family.Close(vmo));
            family.Settle();
            Assert.True(!family.Store.Koids.Any(), family.Describe());
            Assert.Empty(family.Store.Layers);
            Assert.Equal(0, family.Store.BlobCount);
        }
    }

    // Found by FaultPointTests in 1 of 150: two cores and eight silos, and the walk had to wait for a processor while all this was done.
    [Fact]
    public void A_read_that_waits_for_a_layer_while_it_is_taken_over_and_freed_looks_anew()
    {
        var family = new SimFamily(1);
        var source = family.CreateRoot(32 * Page);
        Write(family, source, 3, 7);
        var child = Snapshot(family, source, 32);
        // Nobody has what it shows in memory: another silo opens it.
        for (var silo = 0; silo < 3; silo++)
            family.Crash(silo);
        LayerId? waited = null;
        family.IsSlow = effect => effect is LoadFrozen load && load.Layer.Home == source.Koid && (waited = load.Layer) == load.Layer && family.Store.Layers.Contains(load.Layer);
        var read = family.Send(child.Koid, ticket => new ReadInput(ticket, new() { Head = SimFamily.Head(child.Secret), Items = [new(3 * Page, 1)] }));
        for (var steps = 0; waited is null && steps < 100; steps++)
            family.RunSome(1);
        Assert.Equal(Outcome.Ok, family.Close(source));
        family.Settle();
        Assert.NotNull(waited);
        Assert.DoesNotContain(waited.Value, family.Store.Layers);
        var replies = Assert.IsType<ReadReplies>(read.Reply);
        Assert.Equal(Outcome.Ok, replies.Outcomes?[0] ?? Outcome.Ok);
        Assert.Equal(7, replies.Data[0]);
    }

    [Fact]
    public void A_decommit_reveals_what_was_taken_over_and_a_lookup_says_it_is_its_own_when_no_parent_is_left()
    {
        var family = new SimFamily(1);
        var root = family.CreateRoot(32 * Page);
        Write(family, root, 3, 7);
        var child = Snapshot(family, root, 32);
        Assert.Equal(Outcome.Ok, family.Close(root));
        family.Settle();
        Assert.DoesNotContain(new(root.Koid, 1), family.Store.Layers);
        Write(family, child, 3, 8);
        Assert.Equal(Outcome.Ok, family.Op(child, VmoOp.Decommit, 3 * Page, Page));
        Assert.Equal(7, Read(family, child, 3));
        var runs = family.Call(child.Koid, new OpRangeCall(SimFamily.Head(child.Secret), VmoOp.Lookup, new(0, 32 * Page))).Runs!;
        Assert.Equal([new LookupRun(new(3 * Page, Page), false, child.Koid)], runs);
    }

    [Fact]
    public void A_full_store_keeps_layers_unfolded_and_the_vmo_at_work()
    {
        var family = new SimFamily(1);
        var vmo = family.CreateRoot(32 * Page);
        for (byte round = 1; round <= 4; round++)
        {
            Write(family, vmo, round, round);
            Drop(family, vmo);
        }

        family.Store.IsFull = true;
        family.Settle();
        Assert.Equal(Outcome.Ok, family.Op(vmo, VmoOp.Decommit, Page, Page));
        family.Store.IsFull = false;
        family.Settle();
        Assert.Equal(2, family.Store.Layers.Count());
        Assert.Equal(0, Read(family, vmo, 1));
        Assert.Equal(2, Read(family, vmo, 2));
    }

    private static void Write(SimFamily family, VmoHandle vmo, ulong page, byte fill)
    {
        var data = new byte[Page];
        Array.Fill(data, fill);
        Assert.Equal(Outcome.Ok, family.Write(vmo, page * Page, data));
    }

    private static byte Read(SimFamily family, VmoHandle vmo, ulong page)
    {
        var (outcome, data) = family.Read(vmo, page * Page, 1);
        Assert.Equal(Outcome.Ok, outcome);
        return data[0];
    }

    private static VmoHandle Snapshot(SimFamily family, VmoHandle vmo, ulong pages)
    {
        var (outcome, _, handles) = family.Clone(vmo, 1, new CloneSpec { Kind = VmoKind.Snapshot, Size = pages * Page });
        Assert.Equal(Outcome.Ok, outcome);
        return handles[0];
    }

    private static void Drop(SimFamily family, VmoHandle vmo) => Assert.Equal(Outcome.Ok, family.Close(Snapshot(family, vmo, 32)));
}
