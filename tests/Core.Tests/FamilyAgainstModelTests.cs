using CsCheck;
using VmoCluster.Core.Tests.Model;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>P1, P4, P7, P9 on the core: a family of snapshots and live clones against stupid arrays, over any sequence of calls, crashes and lost answers.</summary>
public class FamilyAgainstModelTests
{
    private const ulong Page = Limits.PageBytes;
    private const ulong SizeMax = 600 * Page;

    public sealed record Act(string Kind, int Who, ulong A, ulong B, byte Fill);

    // A longer run by hand: VMO_ITERATIONS=100000.
    private static readonly long Iterations = long.TryParse(Environment.GetEnvironmentVariable("VMO_ITERATIONS"), out var iterations) ? iterations : 300;

    private static readonly Gen<ulong> Place = Gen.OneOf(Gen.ULong[0, 12 * Page], Gen.ULong[0, 599].Select(page => page * Page), Gen.ULong[250 * Page, 262 * Page]);

    private static readonly Gen<ulong> Length = Gen.OneOf(Gen.ULong[1, 3 * Page], Gen.ULong[1, 20].Select(pages => pages * Page), Gen.ULong[1, 500].Select(pages => pages * Page));

    private static readonly Gen<Act> AnyAct = Acts(
        (9, Gen.Const("write")), (7, Gen.Const("read")), (3, Gen.Const("zero")), (4, Gen.Const("decommit")), (2, Gen.Const("commit")), (3, Gen.Const("resize")),
        (5, Gen.Const("snapshot")), (5, Gen.Const("live")), (1, Gen.Const("reference")), (3, Gen.Const("close")), (2, Gen.Const("churn")), (1, Gen.Const("crash")), (1, Gen.Const("settle")), (1, Gen.Const("trim")));

    // Mostly what makes layers that only their own VMO looks through.
    private static readonly Gen<Act> Churning = Acts(
        (9, Gen.Const("write")), (2, Gen.Const("read")), (4, Gen.Const("zero")), (5, Gen.Const("decommit")), (2, Gen.Const("commit")), (4, Gen.Const("resize")),
        (1, Gen.Const("snapshot")), (2, Gen.Const("live")), (1, Gen.Const("reference")), (1, Gen.Const("close")), (8, Gen.Const("churn")), (8, Gen.Const("succeed")), (1, Gen.Const("crash")), (3, Gen.Const("settle")), (1, Gen.Const("trim")));

    // Mostly what goes through live parents.
    private static readonly Gen<Act> Looking = Acts(
        (9, Gen.Const("write")), (16, Gen.Const("read")), (2, Gen.Const("zero")), (2, Gen.Const("decommit")), (2, Gen.Const("resize")),
        (2, Gen.Const("snapshot")), (8, Gen.Const("live")), (1, Gen.Const("close")), (1, Gen.Const("crash")), (1, Gen.Const("settle")), (1, Gen.Const("trim")));

    [Fact]
    public void A_snapshot_is_a_copy_and_a_live_clone_follows_whatever_is_done_to_either_side() =>
        AnyAct.Array[1, 60].Select(Gen.Int[0, 1 << 20]).Sample((acts, seed) => Run(acts, seed, unknownPercent: 0), iter: Iterations);

    [Fact]
    public void Nothing_changes_that_when_answers_are_lost() =>
        AnyAct.Array[1, 60].Select(Gen.Int[0, 1 << 20]).Sample((acts, seed) => Run(acts, seed, unknownPercent: 20), iter: Iterations);

    [Fact]
    public void Nothing_changes_that_when_layers_are_folded() =>
        Churning.Array[1, 80].Select(Gen.Int[0, 1 << 20], Gen.Bool).Sample((acts, seed, isLossy) => Run(acts, seed, isLossy ? 20 : 0), iter: Iterations);

    [Fact]
    public void Nothing_changes_that_when_silos_give_up_grants_at_any_time()
    {
        var trimmed = 0L;
        Looking.Array[20, 100].Select(Gen.Int[0, 1 << 20], Gen.Bool).Sample(
            (acts, seed, isLossy) =>
            {
                var family = new SimFamily(seed) { TrimPercent = 10, UnknownPercent = isLossy ? 20 : 0, LostPercent = isLossy ? 20 : 0 };
                Run(acts, family, rootPages: 600);
                Interlocked.Add(ref trimmed, family.GrantsTrimmed);
            },
            iter: Iterations);
        Assert.True(trimmed > Iterations, $"only {trimmed} grants were given up in {Iterations} families");
    }

    private static Gen<Act> Acts(params (int, IGen<string>)[] kinds) =>
        Gen.Select(Gen.Frequency(kinds), Gen.Int[0, 1000], Place, Length, Gen.Byte).Select((kind, who, a, b, fill) => new Act(kind, who, a, b, fill));

    private static void Run(Act[] acts, int seed, int unknownPercent) =>
        Run(acts, new SimFamily(seed) { UnknownPercent = unknownPercent, LostPercent = unknownPercent, WrongHintsPercent = seed % 3 == 0 ? 50 : 0 });

    private static void Run(Act[] acts, SimFamily family, ulong rootPages = 64)
    {
        var members = new List<(VmoHandle Handle, ModelMember Model)> { (family.CreateRoot(rootPages * Page), new(rootPages * Page, [], 0)) };
        foreach (var act in acts)
        {
            if (members.Count == 0)
                break;
            Do(family, members, act);
        }

        foreach (var (handle, model) in members)
            CheckAll(family, handle, model);
        family.Settle();
        foreach (var (handle, model) in members)
        {
            CheckAll(family, handle, model);
            Assert.Equal(model.Size, family.Size(handle));
        }

        foreach (var (handle, _) in members)
            Assert.Equal(Outcome.Ok, family.Close(handle));
        family.Settle();
        Assert.True(!family.Store.Koids.Any(), family.Describe());
        Assert.Empty(family.Store.Layers);
        Assert.Equal(0, family.RecallsWaiting);
        Assert.Equal(0, family.Store.BlobCount);
    }

    private static void CheckAll(SimFamily family, VmoHandle handle, ModelMember model)
    {
        for (var at = 0ul; at < model.Size; at += 64 * Page)
        {
            var length = (int)Math.Min(64 * Page, model.Size - at);
            Check(family, handle, model, at, length);
        }
    }

    private static void Check(SimFamily family, VmoHandle handle, ModelMember model, ulong at, int length)
    {
        var (outcome, data) = family.Read(handle, at, length);
        Assert.True(outcome.IsOk, outcome.ToString());
        var wanted = model.Read(at, length);
        var wrong = wanted.AsSpan().CommonPrefixLength(data);
        Assert.True(wrong == length, $"{handle.Koid}{(model.IsLive ? ", live" : "")}: {length} bytes at {at}, page {(at + (ulong)wrong) / Page} shows {(wrong < length ? data[wrong] : 0)}, not {(wrong < length ? wanted[wrong] : 0)}\n{family.Describe()}");
    }

    private static void Do(SimFamily family, List<(VmoHandle Handle, ModelMember Model)> members, Act act)
    {
        var at = act.Who % members.Count;
        var (handle, model) = members[at];
        var offset = Math.Min(act.A, model.Size);
        var length = Math.Min(act.B, model.Size - offset);
        switch (act.Kind)
        {
            case "write":
                length = Math.Min(length, 20 * Page);
                var data = new byte[length];
                Array.Fill(data, act.Fill);
                Assert.Equal(Outcome.Ok, family.Write(handle, offset, data));
                model.Write(offset, data);
                break;
            case "read":
                length = Math.Min(length, 64 * Page);
                Check(family, handle, model, offset, (int)length);
                break;
            case "zero":
                Assert.Equal(Outcome.Ok, family.Op(handle, VmoOp.Zero, offset, length));
                model.Zero(offset, length);
                break;
            case "decommit":
                Assert.Equal(Outcome.Ok, family.Op(handle, VmoOp.Decommit, offset / Page * Page, length / Page * Page));
                model.Decommit(offset / Page, length / Page);
                break;
            case "commit":
                Assert.Equal(Outcome.Ok, family.Op(handle, VmoOp.Commit, offset / Page * Page, length / Page * Page));
                model.Commit(offset / Page, length / Page);
                break;
            case "resize":
                var size = Math.Min(act.B, SizeMax);
                Assert.Equal(Outcome.Ok, family.SetSize(handle, size));
                model.SetSize(size);
                break;
            case "snapshot" when members.Count < 12:
                var (start, window) = (act.A / Page * Page % SizeMax, Math.Min(act.B / Page * Page, SizeMax));
                var (outcome, _, handles) = family.Clone(handle, 1 + (act.Fill % 3), new CloneSpec { Kind = VmoKind.Snapshot, Offset = start, Size = window, Zero = Hidden(act, window) });
                Assert.True(outcome.IsOk, outcome.ToString());
                members.AddRange(handles.Select(made => (made, model.Snapshot(start, window, Pages(Hidden(act, window))))));
                break;
            case "live" when members.Count < 12:
                var (begin, span) = (act.A / Page * Page % SizeMax, Math.Min(act.B / Page * Page, SizeMax));
                var (liveOutcome, _, lives) = family.Clone(handle, 1 + (act.Fill % 2), new CloneSpec { Offset = begin, Size = span, Zero = Hidden(act, span) });
                Assert.Equal(Outcome.Ok, liveOutcome);
                members.AddRange(lives.Select(made => (made, model.Live(begin, span, Pages(Hidden(act, span))))));
                break;
            case "churn":
                var (made, _, child) = family.Clone(handle, 1, new CloneSpec { Kind = VmoKind.Snapshot, Size = SizeMax });
                Assert.Equal(Outcome.Ok, made);
                Assert.Equal(Outcome.Ok, family.Close(child[0]));
                break;
            case "reference" when members.Count < 12:
                var (referenceOutcome, _, references) = family.Clone(handle, 1, new CloneSpec { Kind = VmoKind.Reference });
                Assert.Equal(Outcome.Ok, referenceOutcome);
                members.AddRange(references.Select(made => (made, model)));
                break;
            case "succeed":
                var (bequeathed, _, heirs) = family.Clone(handle, 1, new CloneSpec { Kind = VmoKind.Snapshot, Size = SizeMax });
                Assert.Equal(Outcome.Ok, bequeathed);
                Assert.Equal(Outcome.Ok, family.Close(handle));
                members[at] = (heirs[0], model.Snapshot(0, SizeMax));
                break;
            case "close" when members.Count > 1:
                Assert.Equal(Outcome.Ok, family.Close(handle));
                members.RemoveAt(at);
                break;
            case "crash":
                family.Crash();
                break;
            case "settle":
                family.Settle();
                break;
            case "trim":
                family.Budget.IsOver = !family.Budget.IsOver;
                break;
        }

        family.RunSome(act.Fill % 5);
    }

    // One in four children does not show part of what it is made of.
    private static ByteRange[] Hidden(Act act, ulong size)
    {
        if (act.Fill % 4 != 3 || size < 4 * Page)
            return [];
        var first = act.A / Page % (size / Page / 2);
        return [new(first * Page, size / 3)];
    }

    private static PageRange Pages(ByteRange[] hidden) => hidden is [var range] ? PageRange.Covering(range) : default;
}
