using VmoCluster.Core.Record;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>P11: the sessions in a record that may hold grants are those of silos alive, and a few.</summary>
public class HolderTests
{
    private const ulong Page = Limits.PageBytes;

    [Fact]
    public void Sessions_that_have_died_are_struck_off_however_often_silos_come_and_go()
    {
        var family = new SimFamily(3);
        var parent = family.CreateRoot(4 * Page);
        Assert.Equal(Outcome.Ok, family.Write(parent, 0, [1]));
        var clone = family.Clone(parent, 1, new CloneSpec { Size = 4 * Page }).Handles[0];
        // Nobody changes the parent, so that nothing is recalled.
        for (var round = 0; round < 100; round++)
        {
            Assert.Equal(1, family.Read(clone, 0, 1).Data[0]);
            family.Crash();
            family.RunSome(50);
            var holders = VmoRecord.Decode(family.Store.LoadRecord(parent.Koid)).Holders.Count;
            Assert.True(holders <= 10, $"{holders} sessions may hold grants after {round + 1} crashes; 3 silos live");
        }
    }

    [Fact]
    public void Sessions_of_silos_that_only_make_snapshots_of_live_clones_are_struck_off_too()
    {
        var family = new SimFamily(4);
        var parent = family.CreateRoot(4 * Page);
        var clone = family.Clone(parent, 1, new CloneSpec { Size = 4 * Page }).Handles[0];
        for (var round = 0; round < 100; round++)
        {
            var (outcome, _, handles) = family.Clone(clone, 1, new CloneSpec { Kind = VmoKind.Snapshot, Size = 4 * Page });
            Assert.Equal(Outcome.Ok, outcome);
            Assert.Equal(Outcome.Ok, family.Close(handles[0]));
            family.Crash();
            family.RunSome(50);
            var holders = VmoRecord.Decode(family.Store.LoadRecord(parent.Koid)).Holders.Count;
            Assert.True(holders <= 10, $"{holders} sessions may hold grants after {round + 1} crashes; 3 silos live");
        }
    }

    [Fact]
    public void Of_a_VMO_that_is_held_in_very_many_extents_all_is_asked_back()
    {
        const ulong Extent = Page * Limits.ExtentPages;
        var family = new SimFamily(6);
        var parent = family.CreateRoot(5000 * Extent);
        // It says something everywhere, so that each extent is granted by itself.
        Assert.Equal(Outcome.Ok, family.Op(parent, VmoOp.Commit, 0, 5000 * Extent));
        var clone = family.Clone(parent, 1, new CloneSpec { Size = 5000 * Extent }).Handles[0];
        for (var extent = 0ul; extent < 5000; extent++)
            Assert.Equal(0, family.Read(clone, extent * Extent, 1).Data[0]);
        var before = family.WholeRecalls;
        foreach (var extent in new ulong[] { 0, 4999, 17 })
        {
            Assert.Equal(Outcome.Ok, family.Write(parent, extent * Extent, [1]));
            Assert.Equal(1, family.Read(clone, extent * Extent, 1).Data[0]);
        }

        // Once: from then on it is known again who holds what.
        Assert.Equal(1, family.WholeRecalls - before);
    }

    [Fact]
    public void A_change_asks_the_silos_that_live_after_the_dead_were_struck_off()
    {
        var family = new SimFamily(5);
        var parent = family.CreateRoot(4 * Page);
        var clones = family.Clone(parent, 8, new CloneSpec { Size = 4 * Page }).Handles;
        for (var round = 1; round < 60; round++)
        {
            foreach (var clone in clones)
                Assert.Equal(round - 1, family.Read(clone, 0, 1).Data[0]);
            family.Crash(round % 3);
            foreach (var clone in clones)
                Assert.Equal(round - 1, family.Read(clone, 0, 1).Data[0]);
            Assert.Equal(Outcome.Ok, family.Write(parent, 0, [(byte)round]));
        }
    }
}
