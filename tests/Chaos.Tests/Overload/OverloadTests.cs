using VmoCluster.Chaos.Overload;
using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit.Abstractions;

namespace VmoCluster.Chaos.Tests.Overload;

/// <summary>P11: more than two silos get through is refused and does no harm.</summary>
public sealed class OverloadTests(ITestOutputHelper output)
{
    // A call may hang for this long beyond its deadline, whatever happens.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task More_calls_than_the_silos_get_through_are_told_to_wait_and_everything_is_as_before_afterwards(bool isProduct)
    {
        var options = new OverloadOptions
        {
            Silos = 2,
            Vmos = 40,
            OfferedPerSecond = 4000,
            Length = TimeSpan.FromSeconds(4),
            StoreDelay = TimeSpan.FromMilliseconds(50),
            AtOnce = 64,
        };
        await using var cluster = await OverloadedCluster.StartAsync(options);
        await using ICalls calls = isProduct
            ? new ProductCalls(cluster.Cluster.Endpoints, cluster.Handles, options.Deadline)
            : new PlainCalls(cluster.Cluster.Endpoints, cluster.Handles, options.Deadline);
        var loops = new Loops(calls, options, OverloadedCluster.PagesPerVmo);
        Tally tally;
        List<long> resident;
        await using (var watch = new MemoryWatch(cluster.Cluster.Silos))
        {
            tally = await loops.OpenAsync(options.OfferedPerSecond, options.Length);
            resident = watch.Resident;
            Assert.InRange(watch.CallsMost, 1, 1.25 * options.AtOnce);
            Assert.InRange(watch.BytesMost, 1, 1.25 * options.AtOnce * Limits.PageBytes);
        }

        // It does not grow for as long as it lasts; some of it is what no collection has met yet.
        var (middle, last) = (resident[resident.Count / 2], resident[^1]);
        output.WriteLine($"MiB of both silos: {string.Join(", ", resident.Select(bytes => bytes >> 20))}");
        Assert.True(resident.Count > 2, "memory was not looked at");
        Assert.True(last < 1.5 * middle, $"{last >> 20} MiB at the end, {middle >> 20} in the middle");
        Assert.True(tally.Count(Ending.Refused) > tally.All / 4, $"{tally.Count(Ending.Refused)} of {tally.All} calls were told to wait; {tally.Failures}");
        Assert.InRange(tally.HintMs(0.01), 20, 1000);
        Assert.True(tally.Good > 0, "nothing got through");
        Assert.True(tally.Longest < options.Deadline + Grace, $"a call took {tally.Longest}");
        Assert.DoesNotContain(cluster.Cluster.Silos, silo => silo.HasExited);

        // It heals: whoever was told to wait is served, page by page.
        await using var client = VmoClient.Connect(new() { Endpoints = cluster.Cluster.Endpoints });
        foreach (var handle in cluster.Handles)
            await client.Open(handle).ReadAsync(0, new byte[Limits.PageBytes]);
        foreach (var silo in cluster.Cluster.Silos)
        {
            var began = DateTime.UtcNow;
            while (await SiloFigures.SumAsync(silo, "vmo_calls_underway") is var left && left + await SiloFigures.SumAsync(silo, "vmo_calls_bytes") > 0)
            {
                Assert.True(DateTime.UtcNow - began < TimeSpan.FromSeconds(20), $"{left} calls are still under way at {silo.Http}");
                await Task.Delay(100);
            }
        }
    }
}
