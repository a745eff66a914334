using System.Globalization;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>A silo does not keep in memory what many clones needed for a moment, and whoever comes back finds them as they were.</summary>
[Collection(NodeCollection.Name)]
public sealed class IdleVmosTests
{
    private const int Count = 2_500;

    // No more are let go than until so many are left.
    private const int Kept = 2_000;

    [Fact]
    public async Task P3_Many_VMOs_that_nobody_asks_for_leave_memory_and_show_the_same_when_asked_again()
    {
        await using var redis = await RedisServer.StartAsync(["appendonly no"]);
        await using var silo = await SiloProcess.StartAsync(new() { Redis = redis.Configuration });
        await using var client = Nodes.Connect(silo.Endpoint);
        var root = await client.CreateAsync(Limits.PageBytes);
        var clones = await root.CloneManyAsync(Count, VmoKind.Live);
        await Parallel.ForAsync(0, Count, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (n, cancellation) => await clones[n].WriteAsync((ulong)n, new[] { (byte)n }, cancellation));
        Assert.InRange(await ActiveAsync(silo), Count, Count + 1);

        await Eventually.UntilAsync("VMOs let go", async () => await ActiveAsync(silo) <= Kept, TimeSpan.FromMinutes(2));
        foreach (var n in new[] { 0, 1, Count / 2, Count - 1 })
        {
            var read = new byte[1];
            await clones[n].ReadAsync((ulong)n, read);
            Assert.Equal((byte)n, read[0]);
        }
    }

    private static async Task<int> ActiveAsync(SiloProcess silo)
    {
        var line = (await Nodes.GetAsync(silo, "/metrics")).Text.Split('\n').Single(line => line.StartsWith("vmo_activations{", StringComparison.Ordinal) || line.StartsWith("vmo_activations ", StringComparison.Ordinal));
        return int.Parse(line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
    }
}
