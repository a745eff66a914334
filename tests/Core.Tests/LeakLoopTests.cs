using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>
/// P7: loops of snapshot and close grow neither storage nor depth (semantics 5.2, RFC-0236's two requirements). The store is looked at after every
/// round: what a loop leaves behind for a while is bounded, too.
/// </summary>
public class LeakLoopTests
{
    private const ulong Page = Limits.PageBytes;
    private const int PagesOfVmo = 64;

    // All of the 10,000 by hand: VMO_ROUNDS=10000.
    private static readonly int Rounds = int.TryParse(Environment.GetEnvironmentVariable("VMO_ROUNDS"), out var rounds) ? rounds : 1500;

    [Fact]
    public void Writing_a_vmo_and_dropping_a_snapshot_of_it_over_and_over_keeps_a_few_layers_and_its_pages_twice_at_most()
    {
        var family = new SimFamily(1) { Store = { ShownExtents = 0 } };
        var vmo = family.CreateRoot(PagesOfVmo * Page);
        var model = new byte[PagesOfVmo];
        var (random, layersMost, blobPagesMost) = (new Random(2), 0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            var (page, fill) = (random.Next(PagesOfVmo), (byte)random.Next(1, 256));
            Assert.Equal(Outcome.Ok, family.Write(vmo, (ulong)page * Page, Filled(fill)));
            model[page] = fill;
            var (outcome, _, handles) = family.Clone(vmo, 1, new CloneSpec { Kind = VmoKind.Snapshot, Size = PagesOfVmo * Page });
            Assert.Equal(Outcome.Ok, outcome);
            Assert.Equal(Outcome.Ok, family.Close(handles[0]));
            family.RunSome(random.Next(40));
            layersMost = Math.Max(layersMost, family.Store.Layers.Count());
            blobPagesMost = Math.Max(blobPagesMost, family.Store.BlobPages);
        }

        family.Settle();
        Assert.All(Enumerable.Range(0, PagesOfVmo), page => Assert.Equal(model[page], family.Read(vmo, (ulong)page * Page, 1).Data[0]));
        Assert.InRange(family.Store.Layers.Count(), 1, 4);
        Assert.InRange(family.Store.BlobPages, model.Count(fill => fill != 0), 3 * PagesOfVmo);
        Assert.InRange(layersMost, 1, 40);
        Assert.InRange(blobPagesMost, PagesOfVmo, 10 * PagesOfVmo);
    }

    [Fact]
    public void Writing_a_snapshot_and_dropping_what_it_was_made_of_over_and_over_keeps_a_few_layers_and_its_pages_twice_at_most()
    {
        var family = new SimFamily(1) { Store = { ShownExtents = 0 } };
        var vmo = family.CreateRoot(PagesOfVmo * Page);
        var model = new byte[PagesOfVmo];
        var (random, frozenMost, blobPagesMost, recordsMost) = (new Random(2), 0, 0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            var (outcome, _, handles) = family.Clone(vmo, 1, new CloneSpec { Kind = VmoKind.Snapshot, Size = PagesOfVmo * Page });
            Assert.Equal(Outcome.Ok, outcome);
            var (page, fill) = (random.Next(PagesOfVmo), (byte)random.Next(1, 256));
            Assert.Equal(Outcome.Ok, family.Write(handles[0], (ulong)page * Page, Filled(fill)));
            model[page] = fill;
            Assert.Equal(Outcome.Ok, family.Close(vmo));
            vmo = handles[0];
            family.RunSome(100);
            recordsMost = Math.Max(recordsMost, family.Store.Koids.Count());
            frozenMost = Math.Max(frozenMost, Frozen(family));
            blobPagesMost = Math.Max(blobPagesMost, family.Store.BlobPages);
        }

        family.Settle();
        Assert.All(Enumerable.Range(0, PagesOfVmo), page => Assert.Equal(model[page], family.Read(vmo, (ulong)page * Page, 1).Data[0]));
        Assert.Equal([vmo.Koid], family.Store.Koids);
        Assert.InRange(Frozen(family), 0, 4);
        Assert.InRange(recordsMost, 1, 60);
        Assert.InRange(family.Store.BlobPages, model.Count(fill => fill != 0), 3 * PagesOfVmo);
        Assert.InRange(frozenMost, 1, 60);
        Assert.InRange(blobPagesMost, 1, 20 * PagesOfVmo);
    }

    private static int Frozen(SimFamily family) => family.Store.Layers.Count(layer => family.Store.IsFrozen(layer));

    private static byte[] Filled(byte fill)
    {
        var page = new byte[Page];
        Array.Fill(page, fill);
        return page;
    }
}
