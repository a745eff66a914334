using VmoCluster.Core.Machine;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>
/// P3, P4: a clone call whose owner dies at any step is repeated, and its answer means what the first one would have meant. A repeat that found the
/// call decided was once answered while its children were still being made: the handle just given opened nothing.
/// </summary>
public class RepeatedCloneTests
{
    private const ulong Page = Limits.PageBytes;

    [Theory]
    [InlineData(VmoKind.Snapshot)]
    [InlineData(VmoKind.Live)]
    public void The_children_stand_when_a_repeat_is_answered_whenever_the_owner_died(VmoKind kind)
    {
        for (var seed = 0; seed < 40; seed++)
        {
            for (var steps = 0; steps < 16; steps++)
            {
                var family = new SimFamily(seed);
                var parent = family.CreateRoot(4 * Page);
                Assert.Equal(Outcome.Ok, family.Write(parent, 0, [7]));
                var call = family.CloneCall(parent, 3, new CloneSpec { Kind = kind, Size = 4 * Page });
                family.Send(parent.Koid, ticket => new CallInput(ticket, call));
                family.RunSome(steps);
                for (var silo = 0; silo < 3; silo++)
                    family.Crash(silo);
                var reply = family.Call(parent.Koid, call with { First = family.TakeKoids(3) });
                Assert.Equal(Outcome.Ok, reply.Outcome);
                for (var i = 0; i < 3; i++)
                {
                    var child = new VmoHandle(new(reply.Koid.Value + (ulong)i), call.Seed.Child(i));
                    Assert.True(family.Store.Exists(child.Koid), $"child {i} is not there yet; seed {seed}, the owner died after {steps} steps");
                    Assert.Equal(7, family.Read(child, 0, 1).Data[0]);
                }
            }
        }
    }
}
