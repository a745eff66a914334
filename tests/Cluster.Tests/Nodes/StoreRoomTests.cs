using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>What is on its way to a Redis that takes its time: no more than the node was told, whatever its VMOs ask for; the rest waits and is done.</summary>
[Collection(NodeCollection.Name)]
public sealed class StoreRoomTests
{
    private const int Vmos = 40;
    private const int Most = 3;
    private const int Bytes = 4 * Limits.PageBytes;

    [Fact]
    public async Task P11_No_more_is_on_its_way_to_the_store_than_there_is_room_for()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var proxy = new TcpProxy(redis.Port);
        await using var silo = await SiloProcess.StartAsync(new() { Redis = $"127.0.0.1:{proxy.Port}", Arguments = ["--store-calls", $"{Most}"] });
        await using (var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], JoinCalls = false }))
        {
            var vmos = new List<VmoHandle>();
            for (var i = 0; i < Vmos; i++)
                vmos.Add((await client.CreateAsync(Bytes)).Handle);

            proxy.Delay(TimeSpan.FromMilliseconds(20));
            var written = await WatchAsync(silo, vmos.Select((vmo, i) => client.Open(vmo).WriteAsync(0, PagesOf(i))));
            Assert.True(written.Waiting > 0, "no change has waited for room");
            Assert.InRange(written.Inside, 1, 2 * Most);

            // Maps are asked for first, then pages.
            proxy.Heal();
            Assert.Equal(0, await silo.StopAsync());
            await silo.RestartAsync();
            proxy.Delay(TimeSpan.FromMilliseconds(20));
            await using var again = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], JoinCalls = false });
            var read = await WatchAsync(silo, vmos.Select(async (vmo, i) =>
            {
                var found = new byte[Bytes];
                await again.Open(vmo).ReadAsync(0, found);
                Assert.Equal(PagesOf(i), found);
            }));
            Assert.True(read.Waiting > 0, "no read has waited for room");
            Assert.InRange(read.Inside, 1, 2 * Most);
            proxy.Heal();
        }

        Assert.Equal(0, await silo.StopAsync());
    }

    private static byte[] PagesOf(int vmo) => [.. Enumerable.Range(0, Bytes).Select(i => (byte)(vmo + (i / Limits.PageBytes) + 1))];

    // What the node tells of itself until all is done, of the room of changes and that of reads together.
    private static async Task<(double Inside, double Waiting)> WatchAsync(SiloProcess silo, IEnumerable<Task> calls)
    {
        var all = Task.WhenAll(calls);
        var (inside, waiting) = (0.0, 0.0);
        while (!all.IsCompleted)
        {
            inside = Math.Max(inside, await SiloFigures.SumAsync(silo, "vmo_store_underway"));
            waiting = Math.Max(waiting, await SiloFigures.SumAsync(silo, "vmo_store_waiting"));
        }

        await all;
        return (inside, waiting);
    }
}
