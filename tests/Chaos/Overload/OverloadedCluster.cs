using System.Globalization;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Chaos.Overload;

/// <summary>Silos whose capacity is held down, a slow way to their Redis, and VMOs full of pages that do not fit their memory.</summary>
internal sealed class OverloadedCluster : IAsyncDisposable
{
    /// <summary>Pages of each VMO: what a message can write.</summary>
    public const int PagesPerVmo = Limits.MessageBytesMax / Limits.PageBytes;

    private readonly RedisServer _redis;
    private readonly SlowWay _way;

    private OverloadedCluster(RedisServer redis, SlowWay way, SiloCluster silos) => (_redis, _way, Cluster) = (redis, way, silos);

    public SiloCluster Cluster { get; }

    public IReadOnlyList<VmoHandle> Handles { get; private set; } = [];

    public static async Task<OverloadedCluster> StartAsync(OverloadOptions options)
    {
        var redis = await RedisServer.StartAsync(["appendonly yes", "appendfsync everysec"]);
        var way = await SlowWay.StartAsync(redis.Port, options.StoreDelay);
        var narrow = options.Narrow == Narrow.Calls ? "--calls" : "--store-calls";
        var silos = await SiloCluster.StartEachAsync(options.Silos, _ => new()
        {
            Redis = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{way.Port}"),
            RedisPassword = redis.Password,
            Arguments = [narrow, options.AtOnce.ToString(CultureInfo.InvariantCulture), "--page-cache", "1MiB", "--log-level", "warning"],
        });
        var made = new OverloadedCluster(redis, way, silos);
        await made.FillAsync(options.Vmos);
        return made;
    }

    /// <summary>Bytes that a silo's process has in memory.</summary>
    public static long Resident(SiloProcess silo)
    {
        var line = File.ReadLines($"/proc/{silo.ProcessId}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        await _way.DisposeAsync();
        await _redis.DisposeAsync();
    }

    private async Task FillAsync(int count)
    {
        await using var client = VmoClient.Connect(new() { Endpoints = Cluster.Endpoints, Deadline = TimeSpan.FromSeconds(30) });
        var handles = new VmoHandle[count];
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, stop) =>
        {
            var vmo = await client.CreateAsync(PagesPerVmo * Limits.PageBytes, cancellation: stop);
            var bytes = new byte[PagesPerVmo * Limits.PageBytes];
            new Random(i).NextBytes(bytes);
            await vmo.WriteAsync(0, bytes, stop);
            handles[i] = vmo.Handle;
        });
        Handles = handles;
    }
}
