using CsCheck;
using VmoCluster.Core.Record;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>P7: the bytes charged to all VMOs add up to the bytes stored, and what would be freed is what goes.</summary>
public class FamilyBooksTests
{
    private const ulong Page = Limits.PageBytes;

    private static readonly long Iterations = long.TryParse(Environment.GetEnvironmentVariable("VMO_ITERATIONS"), out var iterations) ? iterations : 300;

    public sealed record Act(string Kind, int Who, int First, int Pages);

    private static readonly Gen<Act> AnyAct = Gen.Select(
        Gen.Frequency(
            (8, Gen.Const("write")), (2, Gen.Const("decommit")), (1, Gen.Const("commit")), (1, Gen.Const("resize")), (6, Gen.Const("snapshot")), (4, Gen.Const("live")), (4, Gen.Const("close")), (1, Gen.Const("crash"))),
        Gen.Int[0, 1000], Gen.Int[0, 63], Gen.Int[1, 30]).Select((kind, who, first, pages) => new Act(kind, who, first, pages));

    [Fact]
    public void P7_Charges_add_up_to_what_is_stored_and_what_would_be_freed_goes() =>
        AnyAct.Array[1, 40].Select(Gen.Int[0, 1 << 20]).Sample(Run, iter: Iterations);

    [Fact]
    public void The_remainder_of_an_even_split_goes_to_the_lowest_koid()
    {
        var family = new SimFamily(1);
        var root = family.CreateRoot(64 * Page);
        family.Write(root, 0, Filled(1));
        var children = family.Clone(root, 2, new CloneSpec { Kind = VmoKind.Snapshot, Size = 64 * Page }).Handles;
        var books = SimBooks.Fill(family, [root.Koid, .. children.Select(child => child.Koid)]);
        Assert.Equal([1366ul, 1365, 1365], new[] { root.Koid, children[0].Koid, children[1].Koid }.Select(books.ChargedTo));
        Assert.Equal([(root.Koid, 1366ul), (children[0].Koid, 1365), (children[1].Koid, 1365)], books.Split(new(root.Koid, 1), Page));
        Assert.Equal(0ul, books.FreedWith(root.Koid));
    }

    [Fact]
    public void The_last_of_three_hundred_levels_pays_for_all_of_them_when_the_others_are_closed()
    {
        const int levels = 300;
        var family = new SimFamily(2);
        var last = family.CreateRoot(64 * Page);
        for (var level = 0; level < levels; level++)
        {
            Assert.Equal(Outcome.Ok, family.Write(last, (ulong)(level % 64) * Page, Filled(1)));
            var (outcome, _, handles) = family.Clone(last, 1, new CloneSpec { Kind = VmoKind.Snapshot, Size = 64 * Page });
            Assert.Equal(Outcome.Ok, outcome);
            Assert.Equal(Outcome.Ok, family.Close(last));
            last = handles[0];
        }

        // What was overwritten is gone where layers were put together meanwhile; all that is left is the last one's.
        family.Settle(500_000);
        var books = SimBooks.Fill(family, [last.Koid]);
        var stored = SimBooks.StoredBytes(family);
        Assert.InRange(stored, 64 * Page, levels * Page);
        Assert.Equal(stored, books.ChargedTo(last.Koid));
        Assert.Equal(stored, books.FreedWith(last.Koid));
    }

    // What it was going to look through it had pinned, and whoever asked what came of the pin was told to wait for as long as it died: nobody paid for its share.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Of_one_that_is_closed_while_it_takes_in_what_a_closed_parent_held_no_pin_stays(int seed)
    {
        for (var steps = 0; steps < 80; steps++)
        {
            var family = new SimFamily(seed);
            var root = family.CreateRoot(64 * Page);
            Assert.Equal(Outcome.Ok, family.Write(root, 0, Filled(8)));
            var middle = Snapshot(family, root);
            Assert.Equal(Outcome.Ok, family.Write(middle, 20 * Page, Filled(4)));
            var closed = Snapshot(family, middle);
            Assert.Equal(Outcome.Ok, family.Write(closed, 40 * Page, Filled(2)));
            // Two that look through it, so that nobody takes in what it holds itself.
            Snapshot(family, closed);
            Assert.Equal(Outcome.Ok, family.Write(closed, 50 * Page, Filled(3)));
            Snapshot(family, closed);
            Assert.Equal(Outcome.Ok, family.Close(middle));
            family.RunSome(steps);
            Assert.Equal(Outcome.Ok, family.Close(closed));
            family.Settle();
            CheckSum(family);
            Assert.All(family.Store.Koids, koid => Assert.Empty(VmoRecord.Decode(family.Store.LoadRecord(koid)).Pins.Entries));
        }
    }

    private static VmoHandle Snapshot(SimFamily family, VmoHandle parent) =>
        family.Clone(parent, 1, new CloneSpec { Kind = VmoKind.Snapshot, Size = 64 * Page }).Handles[0];

    private static void Run(Act[] acts, int seed)
    {
        var family = new SimFamily(seed);
        var members = new List<VmoHandle> { family.CreateRoot(64 * Page) };
        foreach (var act in acts)
            Do(family, members, act);
        family.Settle();
        CheckSum(family);
        var random = new Random(seed);
        while (members.Count > 0)
        {
            var at = random.Next(members.Count);
            var would = SimBooks.Fill(family, [members[at].Koid]).FreedWith(members[at].Koid);
            var (before, folds, was, closed) = (SimBooks.StoredBytes(family), family.Store.Folds, $"{family.Describe()}\n{SimBooks.Describe(family)}", members[at].Koid);
            Assert.Equal(Outcome.Ok, family.Close(members[at]));
            members.RemoveAt(at);
            family.Settle();
            var freed = before - SimBooks.StoredBytes(family);
            // A layer that nobody else looks through any more may be folded, and what it held hidden goes, too.
            Assert.True(family.Store.Folds == folds ? freed == would : freed >= would, $"{would} bytes would go, {freed} went with VMO {closed}, with {family.Store.Folds - folds} folds, of\n{was}\nand there is left\n{family.Describe()}");
            CheckSum(family);
        }
    }

    // Ghosts live, and pay.
    private static void CheckSum(SimFamily family)
    {
        var koids = family.Store.Koids.ToList();
        var books = SimBooks.Fill(family, koids);
        Assert.Equal(SimBooks.StoredBytes(family), koids.Aggregate(0ul, (sum, koid) => sum + books.ChargedTo(koid)));
    }

    private static byte[] Filled(int pages)
    {
        var data = new byte[pages * (int)Page];
        Array.Fill(data, (byte)7);
        return data;
    }

    private static void Do(SimFamily family, List<VmoHandle> members, Act act)
    {
        var at = act.Who % members.Count;
        var size = family.Info(members[at]).Size;
        var offset = Math.Min((ulong)act.First * Page, size);
        var pages = Math.Min((ulong)act.Pages, (size - offset) / Page);
        switch (act.Kind)
        {
            case "write":
                Assert.Equal(Outcome.Ok, family.Write(members[at], offset, Filled((int)pages)));
                break;
            case "decommit":
                Assert.Equal(Outcome.Ok, family.Op(members[at], VmoOp.Decommit, offset, pages * Page));
                break;
            case "commit":
                Assert.Equal(Outcome.Ok, family.Op(members[at], VmoOp.Commit, offset, pages * Page));
                break;
            case "resize":
                Assert.Equal(Outcome.Ok, family.SetSize(members[at], (ulong)(act.First + act.Pages) * Page));
                break;
            case "live" when members.Count < 12:
                members.AddRange(family.Clone(members[at], 1 + (act.Who % 2), new CloneSpec { Offset = (ulong)act.First * Page, Size = (ulong)act.Pages * 2 * Page }).Handles);
                break;
            case "snapshot" when members.Count < 12 && family.Info(members[at]).Kind != VmoKind.Live:
                var (outcome, _, handles) = family.Clone(members[at], 1 + (act.Who % 3), new CloneSpec { Kind = VmoKind.Snapshot, Offset = (ulong)act.First * Page, Size = (ulong)act.Pages * 2 * Page });
                Assert.True(outcome.IsOk, outcome.ToString());
                members.AddRange(handles);
                break;
            case "close" when members.Count > 1:
                Assert.Equal(Outcome.Ok, family.Close(members[at]));
                members.RemoveAt(at);
                break;
            case "crash":
                family.Crash();
                break;
        }

        family.RunSome(act.Who % 5);
    }
}
