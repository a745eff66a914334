namespace VmoCluster.Client.Tests;

/// <summary>Rests between attempts, and how many attempts there are, with chance and time from outside.</summary>
public sealed class BackOffTests
{
    [Theory]
    [InlineData(0, 0, 10)]
    [InlineData(3, 0, 80)]
    [InlineData(50, 0, 1000)]
    [InlineData(0, 200, 200)]
    [InlineData(6, 200, 640)]
    public void A_rest_is_the_hint_and_then_anything_up_to_the_ceiling(int attempt, int hint, int ceiling)
    {
        var backOff = new BackOff(new Random(7));
        var rests = Enumerable.Range(0, 2000).Select(_ => backOff.Of(attempt, hint).TotalMilliseconds - hint).ToList();
        Assert.InRange(rests.Min(), 0, ceiling * 0.05);
        Assert.InRange(rests.Max(), ceiling * 0.95, ceiling);
        Assert.InRange(rests.Average(), ceiling * 0.45, ceiling * 0.55);
    }

    [Fact]
    public void Callers_refused_together_do_not_come_back_together()
    {
        var backOff = new BackOff(new Random(7));
        var perTenth = Enumerable.Range(0, 1000).GroupBy(_ => (int)((backOff.Of(0, 500).TotalMilliseconds - 500) / 50)).ToList();
        Assert.Equal(10, perTenth.Count);
        Assert.All(perTenth, tenth => Assert.InRange(tenth.Count(), 60, 140));
    }

    [Fact]
    public void Repeats_of_what_is_always_refused_are_a_tenth_of_the_messages_once_the_store_is_spent()
    {
        var clock = new HandClock();
        var budget = new RetryBudget(clock);
        var repeats = 0;
        for (var second = 0; second < 60; second++)
        {
            for (var i = 0; i < 20_000; i++)
            {
                budget.Sent();
                if (budget.TryTake())
                    repeats++;
            }

            clock.Advance(TimeSpan.FromSeconds(1));
        }

        var most = RetryBudget.Most + (60 * RetryBudget.PerSecond) + (60 * 20_000 * RetryBudget.PerMessage);
        Assert.InRange(repeats, most * 0.9, most);
    }

    [Fact]
    public void Repeats_that_help_cost_nothing()
    {
        var budget = new RetryBudget(new HandClock());
        for (var i = 0; i < 10 * RetryBudget.Most; i++)
        {
            Assert.True(budget.TryTake(), $"repeat {i} was withheld");
            budget.Helped();
        }
    }

    [Fact]
    public void A_budget_that_is_spent_comes_back_with_time_and_not_beyond_its_most()
    {
        var clock = new HandClock();
        var budget = new RetryBudget(clock);
        Assert.Equal(RetryBudget.Most, Spend(budget));
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(RetryBudget.PerSecond, Spend(budget));
        clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(RetryBudget.Most, Spend(budget));
    }

    private static int Spend(RetryBudget budget)
    {
        var spent = 0;
        while (budget.TryTake())
            spent++;
        return spent;
    }

    private sealed class HandClock : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public void Advance(TimeSpan time) => _now += time.Ticks;
    }
}
