using VmoCluster.Chaos.Redis;
using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit.Abstractions;

namespace VmoCluster.Chaos.Tests.Redis;

/// <summary>P3 where Redis itself has lost the end of its log: of each VMO a prefix of its writes is left, and the loss is told.</summary>
public sealed class CutLogTests(ITestOutputHelper output)
{
    private const int Vmos = 4;
    private const int KeptWrites = 100;
    private const int FirstSeed = 1;

    [Fact]
    public async Task Of_a_log_cut_at_any_byte_a_prefix_of_each_VMOs_writes_is_left_and_the_silos_say_how_much_is_lost()
    {
        await using var lab = await ClusterLab.StartAsync(2, redisOptions: ["appendonly yes", "appendfsync always", "auto-aof-rewrite-percentage 0"], inNetwork: false);
        await using var client = VmoClient.Connect(new() { Endpoints = [.. lab.Cluster.Silos.Select(silo => silo.Endpoint)], Deadline = TimeSpan.FromSeconds(30) });
        var writes = new List<NumberedWrites>();
        try
        {
            for (var i = 0; i < Vmos; i++)
                writes.Add(new(await client.CreateAsync(1UL << 32)));
            await Task.WhenAll(writes.Select(one => one.WaitForMoreAsync(KeptWrites)));
            var redis = lab.Store.Nodes[0];
            var keep = AppendOnlyLog.LengthOf(redis);
            // Some renewals of each silo's session lie in what is lost: by these it knows how much that is.
            await Task.Delay(TimeSpan.FromSeconds(9));
            await Task.WhenAll(writes.Select(one => one.StopAsync()));
            await redis.KillAsync();
            // In the first third of it, wherever the chance of the seed falls there.
            var length = AppendOnlyLog.LengthOf(redis);
            var seed = Enumerable.Range(FirstSeed, 1000).First(seed => new Random(seed).NextInt64(keep, length) < keep + ((length - keep) / 3));
            output.WriteLine($"seed {seed}: {AppendOnlyLog.Truncate(redis, seed, keep)}");
            await redis.RestartAsync();

            // Until it has noticed, a silo answers from its memory, as it may while its lease runs.
            foreach (var silo in lab.Cluster.Silos)
            {
                await Eventually.UntilAsync("the loss is counted", async () => await SiloFigures.SumAsync(silo, "vmo_store_setbacks_total") == 1);
                Assert.InRange(await SiloFigures.SumAsync(silo, "vmo_store_lost_seconds_total"), 3, 60);
                Assert.Contains("The store has lost about", silo.Log, StringComparison.Ordinal);
            }

            var lost = 0;
            foreach (var one in writes)
            {
                var present = await one.PresentAsync();
                output.WriteLine($"{present.Count} of {one.Acked} writes are left");
                Assert.Equal(Enumerable.Range(0, present.Count).Select(number => (ulong)number), present);
                Assert.InRange(present.Count, KeptWrites, one.Acked);
                lost += one.Acked - present.Count;
            }

            Assert.True(lost > 0, "nothing was lost: the cut has shown nothing");
        }
        finally
        {
            foreach (var one in writes)
                await one.DisposeAsync();
        }
    }
}
