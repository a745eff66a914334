using VmoCluster.Chaos.Load;
using VmoCluster.Harness;
using Xunit.Abstractions;

namespace VmoCluster.Chaos.Tests;

/// <summary>
/// P2, P3, P4, P8, P9 over real silos and a real Redis while things break, a fault after the other and two at once; what callers saw is
/// judged, the store is scrubbed, and nothing is left in it when all is closed. The long run with chance is <c>tests/Chaos run</c>.
/// </summary>
public class ChaosRunTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Nothing_is_lost_and_nobody_reads_the_past_while_silos_die_stand_still_are_cut_off_and_Redis_dies()
    {
        var verdict = await JudgedAsync(
            new()
            {
                Seed = 1,
                Length = TimeSpan.FromSeconds(122),
                Schedule = Possible(
                [
                    At(3, FaultKind.Kill, 1, 3), At(18, FaultKind.Pause, 0, 8), At(28, FaultKind.CutMidFrame, 1, 4), At(31, FaultKind.ClientCut, 0, 6), At(36, FaultKind.Partition, 2, 7), At(40, FaultKind.RedisPause, Fault.NoTarget, 2),
                    At(47, FaultKind.Loss, 0, 4), At(54, FaultKind.RedisKill, Fault.NoTarget, 3), At(66, FaultKind.OneWayPartition, 0, 4), At(80, FaultKind.Delay, 1, 4), At(82, FaultKind.Kill, 2, 3),
                    At(92, FaultKind.HalfOpen, 1, 5), At(107, FaultKind.Isolate, 0, 6),
                ]),
            });

        Assert.True(verdict.History.Calls > 1000, "callers were kept from calling");
        Assert.True(verdict.Signals.Childless > 0 && verdict.Signals.Judged > verdict.Signals.Childless, "nothing was judged of signals, set or clear");
        Assert.True(verdict.Handles.Closed > 0 && verdict.Handles.Judged > verdict.Handles.Closed, "nothing was judged of handles, revoked or closed");
    }

    [Fact]
    public async Task A_rolling_restart_lets_no_call_fail()
    {
        var verdict = await JudgedAsync(
            new() { Seed = 2, Length = TimeSpan.FromSeconds(40), Schedule = [At(4, FaultKind.RollingRestart, Fault.NoTarget, 1)] });

        Assert.Equal(0, verdict.Unanswered);
        Assert.Equal([0, 0, 0], verdict.LeftWith);
    }

    // Three silos that take 64 calls at once each, and 300 callers.
    [Fact]
    public async Task P11_Under_more_calls_than_the_silos_take_nothing_is_lost_either()
    {
        var verdict = await JudgedAsync(
            new() { Seed = 5, Length = TimeSpan.FromSeconds(15), Callers = 300, CallersPerClient = 25, Families = 100, SiloArguments = ["--calls", "64"], Schedule = [At(6, FaultKind.Delay, 1, 4)] });

        Assert.True(verdict.ToldToWait > 100, $"calls were told to wait {verdict.ToldToWait} times: too seldom to have shown anything");
        Assert.True(verdict.History.Calls > 1000, "callers were kept from calling");
    }

    // Maps of layers frozen in the lost seconds were used for other layers of the same names: pages were missing, and layers removed that others looked through.
    [Fact]
    public async Task A_Redis_that_has_lost_its_latest_seconds_leaves_a_whole_store_and_nothing_torn()
    {
        var verdict = await JudgedAsync(
            new()
            {
                Seed = 3, MayLose = true, Length = TimeSpan.FromSeconds(55),
                Schedule = [At(8, FaultKind.Truncate, Fault.NoTarget, 2), At(24, FaultKind.Truncate, Fault.NoTarget, 2) with { Seed = 2 }, At(40, FaultKind.Truncate, Fault.NoTarget, 2) with { Seed = 3 }],
            });

        Assert.True(verdict.History.Calls > 1000, "callers were kept from calling");
    }

    // A part of the slots at a time goes to its replica, asked for, killed, and while it stands still for longer than the others wait for it.
    [Fact]
    public async Task P3_In_a_Redis_Cluster_whose_replicas_acknowledge_nothing_is_lost_when_primaries_are_replaced()
    {
        var verdict = await JudgedAsync(
            new()
            {
                Seed = 4, Redis = RedisKind.Cluster, Length = TimeSpan.FromSeconds(60),
                Schedule = [At(4, FaultKind.FailOver, Fault.NoTarget, 1), At(12, FaultKind.RedisKill, Fault.NoTarget, 9) with { Seed = 2 }, At(30, FaultKind.Kill, 0, 2), At(38, FaultKind.RedisPause, Fault.NoTarget, 9) with { Seed = 3 }],
            });

        Assert.True(verdict.History.Calls > 1000, "callers were kept from calling");
    }

    // What does not heal fails well before whoever watches the tests ends all of them without a word.
    private async Task<ChaosVerdict> JudgedAsync(ChaosOptions options)
    {
        var verdict = await ChaosRun.RunAsync(options with { HealedWithin = TimeSpan.FromSeconds(60) }, output.WriteLine);
        output.WriteLine(verdict.ToString());
        Assert.True(verdict.IsFine, verdict.ToString());
        Assert.Equal(verdict.Schedule.Count, verdict.FaultsDone);
        return verdict;
    }

    private static Fault At(double seconds, FaultKind kind, int silo, double lasts) =>
        new(TimeSpan.FromSeconds(seconds), kind, silo, TimeSpan.FromSeconds(lasts), Seed: 1);

    // Silos are cut from each other or from clients, and packets lost, only where the machine has networks of its own.
    private static Fault[] Possible(Fault[] faults) =>
        [.. faults.Where(fault => fault.Kind is not (FaultKind.OneWayPartition or FaultKind.Loss or FaultKind.Isolate or FaultKind.ClientCut) || NetworkLab.Impossible is null)];
}
