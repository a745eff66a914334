using Microsoft.Extensions.Time.Testing;

namespace VmoCluster.Grains.Tests.Bounds;

/// <summary>What a place lets in, with time from outside.</summary>
public sealed class CallBudgetTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public void Calls_beyond_the_most_are_told_to_wait_until_others_have_ended()
    {
        var budget = new CallBudget(10, 1 << 20, _clock);
        var call = new CallLoad(5, 0, 1000);
        Assert.True(budget.TryEnter(call).IsOk);
        Assert.True(budget.TryEnter(call).IsOk);
        var refused = budget.TryEnter(call with { Calls = 1 });
        Assert.Equal(VmoStatus.ShouldWait, refused.Status);
        Assert.True(refused.RetryAfterMs > 0);
        Assert.Equal((10, 1), (budget.Calls, budget.Refused));
        budget.Leave(call);
        Assert.True(budget.TryEnter(call).IsOk);
    }

    [Fact]
    public void Bytes_beyond_the_most_are_told_to_wait_and_bytes_that_are_there_anyway_count()
    {
        var budget = new CallBudget(10, 1000, _clock);
        Assert.True(budget.TryEnter(new(1, 600, 1000)).IsOk);
        Assert.False(budget.TryEnter(new(1, 401, 1000)).IsOk);
        budget.Count(300);
        Assert.False(budget.TryEnter(new(0, 101, 1000)).IsOk);
        Assert.True(budget.TryEnter(new(0, 100, 1000)).IsOk);
        Assert.False(budget.TryEnter(new(1, 1, 1000)).IsOk);
        budget.Count(-300);
        budget.Leave(new(1, 600, 1000));
        Assert.Equal(100, budget.Bytes);
    }

    [Fact]
    public void What_is_preferred_has_a_quarter_more_and_no_more_than_that()
    {
        var budget = new CallBudget(100, 1000, _clock);
        Assert.True(budget.TryEnter(new(100, 1000, 1000)).IsOk);
        Assert.False(budget.TryEnter(new(1, 0, 1000)).IsOk);
        for (var i = 0; i < 25; i++)
            Assert.True(budget.TryEnter(new(1, 0, 1000, IsPreferred: true)).IsOk);
        Assert.False(budget.TryEnter(new(1, 0, 1000, IsPreferred: true)).IsOk);
    }

    [Fact]
    public void Calls_that_stay_on_purpose_take_places_and_say_nothing_of_how_fast_calls_end()
    {
        var budget = new CallBudget(1000, 1000, _clock);
        Assert.True(budget.TryPark(900).IsOk);
        for (var i = 0; i < 10; i++)
            Serve(budget, TimeSpan.FromMilliseconds(100), 1);
        Assert.True(budget.TryEnter(new(100, 0, 1000)).IsOk);
        Assert.False(budget.TryEnter(new(1, 0, 1000)).IsOk);
        Assert.False(budget.TryPark(1).IsOk);
        budget.TryPark(-900);
        Assert.True(budget.TryEnter(new(900, 0, 1000)).IsOk);
    }

    [Theory]
    [InlineData(60_000, 1000)]
    [InlineData(1000, 500)]
    [InlineData(400, 200)]
    public void A_queue_that_stands_is_no_longer_than_a_second_or_half_the_deadline(int deadlineMs, int longestMs)
    {
        const int PerSecond = 1000;
        var budget = new CallBudget(8192, 1 << 20, _clock);
        var call = new CallLoad(1, 0, deadlineMs);

        // Ten times what is served is offered, for five seconds; what came in before that was known has gone by the third.
        var most = 0L;
        for (var ms = 0; ms < 5000; ms += 10)
        {
            for (var i = 0; i < 100; i++)
                budget.TryEnter(call);
            most = ms < 3000 ? 0 : Math.Max(most, budget.Calls);
            _clock.Advance(TimeSpan.FromMilliseconds(10));
            for (var i = 0; i < PerSecond / 100; i++)
                budget.Leave(call);
        }

        Assert.InRange(most, 0.8 * longestMs * PerSecond / 1000, 1.1 * longestMs * PerSecond / 1000);
    }

    [Fact]
    public void The_hint_grows_with_the_overload()
    {
        int Hint(int times)
        {
            var (budget, last) = (new CallBudget(100, 1 << 20, _clock), 0);
            for (var ms = 0; ms < 3000; ms += 10)
            {
                for (var i = 0; i < 10 * times; i++)
                {
                    var outcome = budget.TryEnter(new(1, 0, 60_000));
                    last = outcome.IsOk ? last : outcome.RetryAfterMs;
                }

                _clock.Advance(TimeSpan.FromMilliseconds(10));
                for (var i = 0; i < 10; i++)
                    budget.Leave(new(1, 0, 60_000));
            }

            return last;
        }

        Assert.InRange(Hint(2), 35, 45);
        Assert.InRange(Hint(10), 180, 220);
        Assert.Equal(1000, Hint(100));
    }

    [Fact]
    public void A_burst_upon_an_idle_place_is_let_in_whole()
    {
        var budget = new CallBudget(8192, 1 << 20, _clock);
        Serve(budget, TimeSpan.FromMilliseconds(100), 5);
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.True(budget.TryEnter(new(8000, 0, 1000)).IsOk);
    }

    [Fact]
    public void Where_nothing_ends_only_the_numbers_hold()
    {
        var budget = new CallBudget(8192, 1 << 20, _clock);
        Assert.True(budget.TryEnter(new(1000, 0, 1000)).IsOk);
        for (var i = 0; i < 20; i++)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(500));
            Assert.True(budget.TryEnter(new(1, 0, 1000)).IsOk);
        }
    }

    private void Serve(CallBudget budget, TimeSpan time, int calls)
    {
        var load = new CallLoad(calls, 0, 1000);
        Assert.True(budget.TryEnter(load).IsOk);
        _clock.Advance(time);
        budget.Leave(load);
    }
}
