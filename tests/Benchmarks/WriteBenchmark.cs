using VmoCluster.Harness;

namespace VmoCluster.Benchmarks;

/// <summary>4 KiB acknowledged writes over Orleans, random pages of 16 VMOs, 256 callers, against raw SETs into the same Redis.</summary>
internal static class WriteBenchmark
{
    private const int Callers = 256;
    private const int Vmos = 16;
    private const int PagesPerVmo = 4096;

    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        await using var machine = await Machine.StartAsync(["appendonly yes", "appendfsync everysec"]);
        var database = machine.Raw.GetDatabase();
        await using var client = await machine.OverOrleansAsync(joined: true);
        var vmos = new Client.Vmo[Vmos];
        for (var i = 0; i < Vmos; i++)
            vmos[i] = await client.CreateAsync((ulong)PagesPerVmo * Limits.PageBytes);
        var pages = Enumerable.Range(0, Callers).Select(_ => new byte[Limits.PageBytes]).ToArray();
        foreach (var page in pages)
            Random.Shared.NextBytes(page);
        var (raw, ours) = (new List<double>(), new List<double>());
        var (siloCpu, redisCpu) = (0.0, 0.0);
        for (var run = 0; run < options.Runs; run++)
        {
            raw.Add(await Load.RateAsync(Callers, options.Seconds, (caller, random) => database.StringSetAsync($"raw:{random.Next(Vmos * PagesPerVmo)}", pages[caller])));
            var before = (Machine.CpuSeconds(machine.Silo.ProcessId), Machine.CpuSeconds(machine.Redis.ProcessId));
            ours.Add(await Load.RateAsync(Callers, options.Seconds, (caller, random) =>
                vmos[random.Next(Vmos)].WriteAsync((ulong)random.Next(PagesPerVmo) * Limits.PageBytes, pages[caller])));
            siloCpu = Machine.CpuSeconds(machine.Silo.ProcessId) - before.Item1;
            redisCpu = Machine.CpuSeconds(machine.Redis.ProcessId) - before.Item2;
        }

        report.Rate("4 KiB acknowledged writes over Orleans, random pages of 16 VMOs, 256 callers, appendfsync everysec", Load.Median(ours), "SET", Load.Median(raw), 0.4);
        report.Add("CPU seconds of the last run of it", $"silo {siloCpu:F1}, redis {redisCpu:F1}");
        await client.CloseManyAsync([.. vmos.Select(vmo => vmo.Handle)]);
    }
}
