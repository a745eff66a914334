namespace VmoCluster.Client.Tests;

public sealed class RequestSequenceTests
{
    private sealed class Clock(long ms) : TimeProvider
    {
        public long Ms { get; set; } = ms;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(Ms);
    }

    [Fact]
    public void Sequences_rise_strictly_also_when_the_clock_steps_back()
    {
        var clock = new Clock(1_000_000);
        var requests = new RequestSequence(clock);
        var first = requests.Open();
        clock.Ms -= 5000;
        var second = requests.Open();
        clock.Ms += 60_000;
        var third = requests.Open();
        Assert.Equal(1_000_000, first.Id.IssuedMs);
        Assert.Equal(first.Id.Sequence + 1, second.Id.Sequence);
        Assert.Equal(1_055_000, third.Id.IssuedMs);
        Assert.Equal(first.Id.Client, third.Id.Client);
        Assert.NotEqual(0UL, first.Id.Client);
    }

    [Fact]
    public void What_is_acknowledged_ends_below_the_oldest_request_that_is_under_way()
    {
        var requests = new RequestSequence(new Clock(7));
        var tickets = Enumerable.Range(0, 5).Select(_ => requests.Open()).ToArray();
        Assert.Equal(tickets[0].Id.Sequence, requests.AckedBelow);
        requests.Close(tickets[1]);
        requests.Close(tickets[4]);
        Assert.Equal(tickets[0].Id.Sequence, requests.AckedBelow);
        requests.Close(tickets[0]);
        requests.Close(tickets[0]);
        Assert.Equal(tickets[2].Id.Sequence, requests.AckedBelow);
        requests.Close(tickets[3]);
        requests.Close(tickets[2]);
        Assert.Equal(tickets[4].Id.Sequence + 1, requests.AckedBelow);
        var next = requests.Open();
        Assert.Equal(next.Id.Sequence, requests.AckedBelow);
    }

    [Fact]
    public void Two_clients_are_two_names() =>
        Assert.NotEqual(new RequestSequence(TimeProvider.System).Open().Id.Client, new RequestSequence(TimeProvider.System).Open().Id.Client);
}
