using StackExchange.Redis;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Benchmarks;

/// <summary>4 KiB warm reads of one VMO, 32 callers in a client process, against raw GETs of the same size and callers.</summary>
internal static class ReadBenchmark
{
    private const int Callers = 32;
    private const int Pages = 4096;

    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        await using var machine = await Machine.StartAsync(["appendonly yes", "appendfsync everysec"]);
        var database = machine.Raw.GetDatabase();
        var page = new byte[Limits.PageBytes];
        Random.Shared.NextBytes(page);
        for (var i = 0; i < Pages; i++)
            await database.StringSetAsync($"raw:{i}", page);
        await using var plain = await machine.OverOrleansAsync(joined: false);
        await using var joined = await machine.OverOrleansAsync(joined: true);
        await using var door = machine.OverGrpc(joined: false);
        await using var doorJoined = machine.OverGrpc(joined: true);
        var vmo = await plain.CreateAsync((ulong)Pages * Limits.PageBytes);
        var extent = new byte[Limits.CallBytesMax];
        Random.Shared.NextBytes(extent);
        for (var at = 0ul; at < Pages * (ulong)Limits.PageBytes; at += Limits.CallBytesMax)
            await vmo.WriteAsync(at, extent);
        var rates = new List<double>[5];
        for (var i = 0; i < rates.Length; i++)
            rates[i] = [];
        for (var run = 0; run < options.Runs; run++)
        {
            rates[0].Add(await RawAsync(database, options.Seconds));
            rates[1].Add(await ReadAsync(plain.Open(vmo.Handle), options.Seconds));
            rates[2].Add(await ReadAsync(joined.Open(vmo.Handle), options.Seconds));
            rates[3].Add(await ReadAsync(door.Open(vmo.Handle), options.Seconds));
            rates[4].Add(await ReadAsync(doorJoined.Open(vmo.Handle), options.Seconds));
        }

        var raw = Load.Median(rates[0]);
        report.Rate("4 KiB warm reads, 32 callers, over Orleans, one message a read", Load.Median(rates[1]), "GET", raw, 0.25);
        report.Rate("the same, concurrent reads joined", Load.Median(rates[2]), "GET", raw, 0.5);
        report.Rate("the same through the gRPC door, one message a read", Load.Median(rates[3]), "GET", raw, 0.25);
        report.Rate("the same through the gRPC door, joined", Load.Median(rates[4]), "GET", raw, 0.25);
        await vmo.CloseAsync();
    }

    private static Task<double> RawAsync(IDatabase database, int seconds) =>
        Load.RateAsync(Callers, seconds, (_, random) => database.StringGetAsync($"raw:{random.Next(Pages)}"));

    private static Task<double> ReadAsync(Vmo vmo, int seconds)
    {
        var buffers = Enumerable.Range(0, Callers).Select(_ => new byte[Limits.PageBytes]).ToArray();
        return Load.RateAsync(Callers, seconds, (caller, random) => vmo.ReadAsync((ulong)random.Next(Pages) * Limits.PageBytes, buffers[caller]));
    }
}
