using VmoCluster.Client.Tests.Model;

namespace VmoCluster.Client.Tests;

/// <summary>What a lane does with calls that were not sent yet when another was told to wait.</summary>
public sealed class LaneRestTests
{
    [Fact]
    public async Task While_a_message_rests_that_was_told_to_wait_others_wait_for_it_and_share_the_next()
    {
        await using var setup = new Setup(new());
        var vmo = await setup.Client.CreateAsync(4096);
        setup.Cluster.Faults = (name, number) => name == "read" && number == 1 ? new(FaultKind.ShouldWait, 300) : Fault.None;
        var reads = new List<Task> { vmo.ReadAsync(0, new byte[1]) };
        await Setup.UntilAsync(() => setup.Cluster.AttemptsOf("read").Length == 1, "the first was sent");

        // Its refusal is on its way back; what comes before it is there may still be sent.
        await Task.Yield();
        for (var i = 0; i < 20; i++)
            reads.Add(vmo.ReadAsync(0, new byte[1]));
        await Task.WhenAll(reads);
        Assert.InRange(setup.Cluster.AttemptsOf("read").Length, 2, 5);
    }

    [Fact]
    public async Task A_call_that_was_never_sent_ends_at_its_deadline_as_one_that_did_nothing()
    {
        await using var setup = new Setup(new());
        var vmo = (await setup.Client.CreateAsync(4096)).WithDeadline(TimeSpan.FromMilliseconds(500));
        setup.Cluster.Faults = (name, _) => name == "write" ? new(FaultKind.ShouldWait, 900) : Fault.None;
        var first = Setup.RefusedAsync(VmoStatus.ShouldWait, () => vmo.WriteAsync(0, new byte[1]));
        await first;
        var second = await Setup.RefusedAsync(VmoStatus.ShouldWait, () => vmo.WriteAsync(0, new byte[1]));
        Assert.Contains("it has not taken effect", second.Message, StringComparison.Ordinal);
        Assert.Single(setup.Cluster.AttemptsOf("write"));
    }
}
