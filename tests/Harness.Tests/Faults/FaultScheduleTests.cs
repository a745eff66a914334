using Xunit;

namespace VmoCluster.Harness.Tests.Faults;

public sealed class FaultScheduleTests
{
    private const int Seeds = 200;

    [Fact]
    public void The_same_seed_gives_the_same_schedule_and_another_seed_another()
    {
        Assert.Equal(FaultSchedule.Of(Plan(7)), FaultSchedule.Of(Plan(7)));
        Assert.NotEqual(FaultSchedule.Of(Plan(7)), FaultSchedule.Of(Plan(8)));
    }

    // What was noted of a run must be found again by its seed, next year too.
    [Fact]
    public void A_schedule_prints_a_line_for_each_fault_and_stays_what_it_was()
    {
        // The same plan: kinds that came later are not among what it draws from.
        FaultKind[] kinds =
        [
            FaultKind.Kill, FaultKind.Pause, FaultKind.Partition, FaultKind.OneWayPartition, FaultKind.Delay, FaultKind.RedisKill, FaultKind.RedisPause, FaultKind.FailOver, FaultKind.Truncate,
            FaultKind.RollingRestart,
        ];
        var lines = FaultSchedule.Of(Plan(1) with { Kinds = kinds }).Take(3).Select(fault => fault.ToString());
        Assert.Equal(
            [
                "    1.143 s Pause silo 1 for 6.358 s",
                "   19.748 s Kill silo 0 for 4.409 s",
                "   20.491 s FailOver for 6.615 s",
            ],
            lines.Select(line => line[..line.IndexOf(" (seed ", StringComparison.Ordinal)]));
    }

    [Theory]
    [InlineData(3, 1)]
    [InlineData(3, 2)]
    [InlineData(5, 3)]
    [InlineData(3, 0)]
    public void Never_are_more_silos_down_at_once_than_allowed(int silos, int maxDown)
    {
        var most = 0;
        for (var seed = 0; seed < Seeds; seed++)
        {
            var plan = Plan(seed) with { Silos = silos, MaxDown = maxDown };
            var faults = FaultSchedule.Of(plan);
            foreach (var fault in faults)
            {
                var down = faults.Where(other => other.At <= fault.At && fault.At < other.End + plan.Recovery).Sum(other => other.Down);
                Assert.True(down <= maxDown, $"seed {seed}: {down} silos are down at {fault}");
                most = Math.Max(most, down);
            }
        }

        // A bound that nothing comes near would not be tested.
        Assert.Equal(maxDown, most);
    }

    [Fact]
    public void A_silo_and_Redis_have_one_fault_at_a_time_and_a_rolling_restart_has_all_silos()
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var faults = FaultSchedule.Of(Plan(seed) with { MaxDown = 2 });
            foreach (var (earlier, later) in faults.SelectMany((fault, i) => faults.Skip(i + 1).Select(later => (fault, later))))
            {
                if (later.At >= earlier.End)
                {
                    continue;
                }

                var (ofSilos, alsoOfSilos) = (IsOfSilos(earlier), IsOfSilos(later));
                Assert.False(ofSilos && alsoOfSilos && (earlier.Target == later.Target || Fault.NoTarget == earlier.Target || Fault.NoTarget == later.Target), $"seed {seed}: {earlier} meets {later}");
                Assert.True(ofSilos || alsoOfSilos, $"seed {seed}: {earlier} meets {later}");
            }
        }
    }

    [Fact]
    public void Faults_are_in_order_within_the_length_and_of_about_the_number_and_duration_asked_for()
    {
        var plan = Plan(3) with { Length = TimeSpan.FromHours(10), MeanInterval = TimeSpan.FromSeconds(60), MeanDuration = TimeSpan.FromSeconds(5), Recovery = TimeSpan.Zero };
        var faults = FaultSchedule.Of(plan);
        Assert.Equal(faults.OrderBy(fault => fault.At), faults);
        Assert.All(faults, fault => Assert.InRange(fault.Duration, plan.MeanDuration * 0.5 - TimeSpan.FromMilliseconds(1), plan.MeanDuration * 1.5));
        Assert.All(faults, fault => Assert.InRange(fault.Target, fault.IsOfSilo ? 0 : Fault.NoTarget, fault.IsOfSilo ? plan.Silos - 1 : Fault.NoTarget));
        Assert.True(faults[^1].End <= plan.Length);
        Assert.InRange(faults.Count, 450, 650);
        Assert.InRange(faults.Average(fault => fault.Duration.TotalSeconds), 4.7, 5.3);
        Assert.Equal(plan.Kinds.Order(), faults.Select(fault => fault.Kind).Distinct().Order());
    }

    [Fact]
    public void A_plan_that_would_take_all_silos_down_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => FaultSchedule.Of(Plan(1) with { Silos = 3, MaxDown = 3 }));

    private static bool IsOfSilos(Fault fault) => fault.IsOfSilo || fault.Kind == FaultKind.RollingRestart;

    private static FaultPlan Plan(int seed) => new()
    {
        Seed = seed, Kinds = Enum.GetValues<FaultKind>(), Silos = 3, Length = TimeSpan.FromMinutes(10), MeanInterval = TimeSpan.FromSeconds(4),
    };
}
