using VmoCluster.Chaos.Redis;
using Xunit.Abstractions;

namespace VmoCluster.Chaos.Tests.Redis;

/// <summary>A few of the failovers that <c>failovers</c> does many of.</summary>
public sealed class RedisFailoverTests(ITestOutputHelper output)
{
    [Fact]
    public async Task P3_Where_every_replica_acknowledges_no_acknowledged_write_is_lost_however_the_primary_goes()
    {
        var verdict = await RunAsync(new() { Durability = "replicas:1", Replicas = 1, Runs = 3, Ends = [PrimaryEnd.Killed, PrimaryEnd.KilledAllBehind, PrimaryEnd.Asked] });
        Assert.Equal((0, 0), (verdict.Lost, verdict.Hidden));
    }

    [Fact]
    public async Task P3_At_primary_a_failover_loses_what_no_replica_had_and_no_silo_hides_it()
    {
        var verdict = await RunAsync(new() { Durability = "primary", Replicas = 1, Runs = 2, Ends = [PrimaryEnd.KilledAllBehind, PrimaryEnd.Asked] });
        Assert.Equal(0, verdict.Hidden);

        // What is lost is a suffix: at most what was acknowledged while the replica stood still, and in the moment of two primaries.
        Assert.All(verdict.ByEnd[PrimaryEnd.KilledAllBehind], one => Assert.InRange(one.Before, TimeSpan.Zero, TimeSpan.FromSeconds(6)));
    }

    private Task<RedisFailoverVerdict> RunAsync(RedisFailoverOptions options) => RedisFailoverRun.RunAsync(options, output.WriteLine);
}
