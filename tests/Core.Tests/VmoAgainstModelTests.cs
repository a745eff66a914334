using CsCheck;
using VmoCluster.Core.Contents;
using VmoCluster.Core.Tests.Model;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>P1, P3, P4, P7 on the core: the machine against a stupid model, over any sequence of calls, crashes and lost answers.</summary>
public class VmoAgainstModelTests
{
    private const ulong Page = Limits.PageBytes;

    /// <summary>One thing that happens. A and B pick places and lengths.</summary>
    public sealed record Act(string Kind, ulong A, ulong B, byte Fill);

    // A longer run by hand: VMO_ITERATIONS=100000.
    private static readonly long Iterations = long.TryParse(Environment.GetEnvironmentVariable("VMO_ITERATIONS"), out var iterations) ? iterations : 600;

    private static readonly Gen<ulong> Place = Gen.OneOf(
        Gen.ULong[0, 40 * Page], Gen.ULong[0, 700].Select(page => page * Page), Gen.ULong[0, 3].Select(n => (n << 34) + (7 * Page)), Gen.ULong[250 * Page, 262 * Page]);

    private static readonly Gen<ulong> Length = Gen.OneOf(
        Gen.ULong[0, 3 * Page], Gen.ULong[0, 20].Select(pages => pages * Page), Gen.ULong[0, 700].Select(pages => pages * Page), Gen.Const(1ul << 36));

    private static readonly Gen<Act> AnyAct =
        Gen.Select(
            Gen.Frequency((9, Gen.Const("write")), (6, Gen.Const("read")), (3, Gen.Const("zero")), (3, Gen.Const("decommit")), (3, Gen.Const("commit")), (2, Gen.Const("resize")), (1, Gen.Const("crash")), (1, Gen.Const("settle")), (1, Gen.Const("trim")), (1, Gen.Const("full"))),
            Place, Length, Gen.Byte)
        .Select((kind, a, b, fill) => new Act(kind, a, b, fill));

    [Fact]
    public void A_vmo_behaves_as_an_array_of_pages_whatever_is_done_to_it() =>
        AnyAct.Array[1, 60].Select(Gen.Int[0, 1 << 20]).Sample((acts, seed) => Run(acts, seed, unknownPercent: 0), iter: Iterations);

    [Fact]
    public void Nothing_changes_that_when_answers_of_the_store_are_lost() =>
        AnyAct.Array[1, 60].Select(Gen.Int[0, 1 << 20]).Sample((acts, seed) => Run(acts, seed, unknownPercent: 25), iter: Iterations);

    [Fact]
    public void Ranges_of_many_leaves_are_cleared_by_one_commit_and_cleaned_up_behind_it()
    {
        var vmo = new SimVmo(1, 1ul << 40, cachePages: 0);
        for (var i = 0ul; i < 1200; i++)
            Assert.True(vmo.Write(i * 64 * 1024, [1, 2, 3]).IsOk);
        vmo.Settle();
        var before = vmo.Seen["SendCommit"];
        Assert.True(vmo.Op(VmoOp.Decommit, 0, 1ul << 40).IsOk);
        // The clearing, and the first of the commits that clean up behind it.
        Assert.InRange(vmo.Seen["SendCommit"], before + 1, before + 2);
        Assert.Equal(0ul, vmo.Info().CommittedBytes);
        Assert.Equal([0, 0, 0], vmo.Read(64 * 1024, 3).Data);

        // Before the clean-up is done another silo takes over: it sees the same.
        vmo.Reopen();
        Assert.Equal([0, 0, 0], vmo.Read(128 * 1024, 3).Data);
        Assert.True(vmo.Write(64 * 1024, [9]).IsOk);
        vmo.Settle();
        Assert.Equal([9, 0, 0], vmo.Read(64 * 1024, 3).Data);
        Assert.Equal(Page, vmo.Info().CommittedBytes);
        Assert.Single(vmo.Store.Blobs);
        Assert.Single(vmo.Store.ScanLeaves());
    }

    [Fact]
    public void A_long_commit_stores_no_bytes_and_counts_every_page()
    {
        var vmo = new SimVmo(2, 1ul << 40);
        Assert.True(vmo.Write(5 * Page, [7]).IsOk);
        Assert.True(vmo.Op(VmoOp.Commit, 0, 1ul << 40).IsOk);
        Assert.Equal(1ul << 40, vmo.Info().CommittedBytes);
        Assert.Equal(Page, vmo.Info().ChargedBytes);
        Assert.True(vmo.Op(VmoOp.Decommit, 0, 10 * Page).IsOk);
        Assert.Equal((1ul << 40) - (10 * Page), vmo.Info().CommittedBytes);
        vmo.Reopen();
        Assert.Equal((1ul << 40) - (10 * Page), vmo.Info().CommittedBytes);
        Assert.Equal(0, vmo.Read(5 * Page, 1).Data[0]);
    }

    [Fact]
    public void A_damaged_page_is_told_from_a_good_one()
    {
        var vmo = new SimVmo(3, 4 * Page, cachePages: 0);
        Assert.True(vmo.Write(0, [1]).IsOk);
        vmo.Store.Damage(vmo.Store.Blobs.Keys.Single(), BlobLayout.HeaderBytes + 100);
        Assert.Equal(VmoStatus.DataIntegrity, vmo.Read(0, 1).Outcome.Status);
        vmo.Store.Unlink(new Machine.UnlinkBlobs(vmo.Machine.Layer, [.. vmo.Store.Blobs.Keys]));
        Assert.Equal(VmoStatus.DataLoss, vmo.Read(0, 1).Outcome.Status);
    }

    [Fact]
    public void Small_blobs_are_put_together_and_dead_ones_are_freed()
    {
        var vmo = new SimVmo(4, 1ul << 30);
        for (var i = 0ul; i < 63; i++)
            Assert.True(vmo.Write(i * 3 * Page, [(byte)(i + 1)]).IsOk);
        vmo.Settle();
        Assert.Single(vmo.Store.Blobs);
        for (var i = 0ul; i < 63; i++)
            Assert.Equal((byte)(i + 1), vmo.Read(i * 3 * Page, 1).Data[0]);
        Assert.True(vmo.Op(VmoOp.Decommit, 0, 1ul << 30).IsOk);
        vmo.Settle();
        Assert.Empty(vmo.Store.Blobs);
        Assert.Empty(vmo.Store.ScanLeaves());
    }

    [Fact]
    public void The_last_close_frees_everything_also_when_the_silo_dies_meanwhile()
    {
        var vmo = new SimVmo(5, 1ul << 30);
        for (var i = 0ul; i < 50; i++)
            Assert.True(vmo.Write(i * 40 * Page, [1]).IsOk);
        var close = new CloseCall(vmo.Head(vmo.Secret, vmo.NextRequest()));
        Assert.True(vmo.Call(close).Outcome.IsOk);
        vmo.Crash();
        vmo.Settle();
        Assert.True(vmo.Store.IsErased);
        Assert.Empty(vmo.Store.Blobs);
        var tombstone = new Store.StoredHash(default, 0, vmo.Store.Tombstone);
        Assert.True(Machine.VmoMachine.FromTombstone(tombstone, close.Head.Request).IsOk);
        Assert.Equal(VmoStatus.BadHandle, Machine.VmoMachine.FromTombstone(tombstone, vmo.NextRequest()).Status);
    }

    private static void Run(Act[] acts, int seed, int unknownPercent)
    {
        var vmo = new SimVmo(seed, 1 << 20) { UnknownPercent = unknownPercent };
        var model = new ModelVmo(1 << 20);
        foreach (var act in acts)
        {
            Do(vmo, model, act);
            Assert.Equal(model.Size, vmo.Info().Size);
            Assert.Equal(model.CommittedBytes, vmo.Info().CommittedBytes);
        }

        vmo.Settle();
        var stored = model.Present().Where(page => !page.IsZero).ToList();
        Assert.Equal((ulong)stored.Count * Page, vmo.Info().ChargedBytes);
        foreach (var (page, _) in model.Present())
            Assert.Equal(model.Read(page * Page, (int)Page).Data, vmo.Read(page * Page, (int)Page).Data);
        Assert.Equal(model.Present(), Lookup(vmo, model.Size));
        if (unknownPercent == 0)
            Assert.True(vmo.Store.Blobs.Values.Sum(blob => (long)blob.Length) <= (2 * stored.Count + 63 + 256) * (long)(Page + 32), "dead pages are kept");

        Assert.True(vmo.Call(new CloseCall(vmo.Head(vmo.Secret, vmo.NextRequest()))).Outcome.IsOk);
        vmo.Settle();
        Assert.True(vmo.Store.IsErased);
        Assert.Empty(vmo.Store.Blobs);
    }

    private static void Do(SimVmo vmo, ModelVmo model, Act act)
    {
        switch (act.Kind)
        {
            case "write":
                var data = new byte[Math.Min(act.B, 20 * Page)];
                data.AsSpan().Fill(act.Fill < 40 ? (byte)0 : act.Fill);
                Assert.Equal(model.Write(act.A, data), vmo.Write(act.A, data).Status);
                break;
            case "read":
                var (status, expected) = model.Read(act.A, (int)Math.Min(act.B, 20 * Page));
                var (outcome, found) = vmo.Read(act.A, (int)Math.Min(act.B, 20 * Page));
                Assert.Equal(status, outcome.Status);
                Assert.Equal(expected, found);
                break;
            case "zero":
                Assert.Equal(model.Zero(act.A, act.B), vmo.Op(VmoOp.Zero, act.A, act.B).Status);
                break;
            case "decommit":
                var (offset, length) = act.Fill % 8 == 0 ? (act.A, act.B) : (act.A / Page * Page, act.B / Page * Page);
                Assert.Equal(model.Decommit(offset, length), vmo.Op(VmoOp.Decommit, offset, length).Status);
                break;
            case "commit":
                var committed = Math.Min(act.B, act.Fill % 8 == 0 ? 6000 * Page : 300 * Page);
                Assert.Equal(model.Commit(act.A, committed), vmo.Op(VmoOp.Commit, act.A, committed).Status);
                break;
            case "resize":
                var size = act.Fill % 4 == 0 ? act.A : (1 << 20) + act.A;
                Assert.Equal(model.SetSize(size), vmo.Call(new SetSizeCall(vmo.Head(vmo.Secret, vmo.NextRequest()), size)).Outcome.Status);
                break;
            case "crash":
                // In the middle of a write of what stands there anyway.
                var standing = model.Present().Where(page => !page.IsZero).Select(page => page.Page).ToList();
                if (standing.Count > 0)
                {
                    var page = standing[(int)(act.A % (ulong)standing.Count)];
                    vmo.BeginWrite(page * Page, model.Read(page * Page, (int)Page).Data);
                    vmo.RunSome(act.Fill % 3);
                }

                if (act.Fill % 5 == 0)
                    vmo.HandOver();
                else
                    vmo.Crash();
                break;
            case "settle":
                vmo.Settle();
                break;
            case "trim":
                vmo.Budget.IsOver = !vmo.Budget.IsOver;
                break;
            case "full":
                vmo.Store.IsFull = true;
                Assert.Contains(vmo.Write(0, [1]).Status, new[] { VmoStatus.NoSpace, VmoStatus.OutOfRange });
                vmo.Store.IsFull = false;
                break;
        }
    }

    private static List<(ulong Page, bool IsZero)> Lookup(SimVmo vmo, ulong size)
    {
        var pages = new List<(ulong, bool)>();
        for (var at = 0ul; ;)
        {
            var reply = vmo.Call(new OpRangeCall(vmo.Head(vmo.Secret), VmoOp.Lookup, new(at, size - at)));
            Assert.True(reply.Outcome.IsOk);
            foreach (var run in reply.Runs!)
            {
                for (var page = run.Range.Offset / Page; page < run.Range.End / Page; page++)
                    pages.Add((page, run.IsZero));
            }

            if (reply.Number == 0)
                return pages;
            at = reply.Number;
        }
    }
}
