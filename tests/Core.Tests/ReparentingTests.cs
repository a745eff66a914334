using CsCheck;
using VmoCluster.Core.Record;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>P9 while closed VMOs hand their children over and go: nobody loses sight of a child, and no record stays behind.</summary>
public class ReparentingTests
{
    private const ulong Page = Limits.PageBytes;

    private static readonly long Iterations = long.TryParse(Environment.GetEnvironmentVariable("VMO_ITERATIONS"), out var iterations) ? iterations : 300;

    public sealed record Act(string Kind, int Who, int Effects);

    private static readonly Gen<Act> AnyAct = Gen.Select(
        Gen.Frequency((8, Gen.Const("snapshot")), (2, Gen.Const("write")), (7, Gen.Const("close")), (1, Gen.Const("crash")), (1, Gen.Const("settle"))), Gen.Int[0, 1000], Gen.Frequency((2, Gen.Int[0, 3]), (1, Gen.Int[0, 40])))
        .Select((kind, who, effects) => new Act(kind, who, effects));

    private sealed record Member(VmoHandle Handle, Member? Parent)
    {
        public bool IsClosed { get; set; }

        public Koid Koid => Handle.Koid;

        public Member? LivingParent => Parent is { IsClosed: true } ? Parent.LivingParent : Parent;
    }

    [Fact]
    public void Every_child_is_known_to_its_nearest_living_ancestor_whatever_is_closed_between() =>
        AnyAct.Array[5, 60].Select(Gen.Int[0, 1 << 20]).Sample(Run, iter: Iterations);

    private static void Run(Act[] acts, int seed)
    {
        var family = new SimFamily(seed) { UnknownPercent = 10, LostPercent = 15, RepeatPercent = 25 };
        var members = new List<Member> { new(family.CreateRoot(4 * Page), null) };
        foreach (var act in acts)
        {
            Do(family, members, act);
            for (var effects = 0; effects < act.Effects; effects++)
            {
                family.RunOne();
                AssertNobodyIsLost(family, members);
            }
        }

        AssertExact(family, members);
        foreach (var member in members.Where(member => !member.IsClosed))
            Assert.Equal(Outcome.Ok, family.Close(member.Handle));
        family.Settle();
        Assert.True(!family.Store.Koids.Any(), family.Describe());
    }

    private static void Do(SimFamily family, List<Member> members, Act act)
    {
        var living = members.Where(member => !member.IsClosed).ToList();
        var member = living[act.Who % living.Count];
        switch (act.Kind)
        {
            case "snapshot" when living.Count < 8:
                var (outcome, _, handles) = family.Clone(member.Handle, 1 + (act.Who % 2), new CloneSpec { Kind = VmoKind.Snapshot, Size = 4 * Page });
                Assert.Equal(Outcome.Ok, outcome);
                members.AddRange(handles.Select(handle => new Member(handle, member)));
                break;
            case "write":
                Assert.Equal(Outcome.Ok, family.Write(member.Handle, (ulong)(act.Who % 4) * Page, [7]));
                break;
            case "close" when living.Count > 1:
                Assert.Equal(Outcome.Ok, family.Close(member.Handle));
                member.IsClosed = true;
                break;
            case "crash":
                family.Crash();
                break;
            case "settle":
                AssertExact(family, members);
                break;
        }
    }

    // What ZERO_CHILDREN is made of: a durable set that is empty only when nobody is left.
    private static void AssertNobodyIsLost(SimFamily family, List<Member> members)
    {
        foreach (var child in members.Where(member => !member.IsClosed))
        {
            if (child.LivingParent is { } parent)
                Assert.True(ChildrenOf(family, parent.Koid).Length > 0, $"{parent.Koid} knows of no child, and {child.Koid} lives\n{family.Describe()}");
        }
    }

    private static void AssertExact(SimFamily family, List<Member> members)
    {
        family.Settle();
        foreach (var member in members.Where(member => !member.IsClosed))
        {
            var children = members.Where(child => !child.IsClosed && child.LivingParent == member).Select(child => child.Koid).Order();
            Assert.Equal(children, ChildrenOf(family, member.Koid));
            Assert.Equal(member.LivingParent?.Koid ?? Koid.None, NearestLiving(family, member.Koid));
        }
    }

    private static Koid[] ChildrenOf(SimFamily family, Koid koid) => [.. VmoRecord.Decode(family.Store.LoadRecord(koid)).Children.Snapshots.Koids];

    private static Koid NearestLiving(SimFamily family, Koid koid)
    {
        var parent = VmoRecord.Decode(family.Store.LoadRecord(koid)).Meta.Parent;
        while (!parent.IsNone && VmoRecord.Decode(family.Store.LoadRecord(parent)) is { State: VmoState.Dying } closed)
            parent = closed.Meta.Parent;
        return parent;
    }
}
