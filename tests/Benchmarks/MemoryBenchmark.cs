using VmoCluster.Harness;

namespace VmoCluster.Benchmarks;

/// <summary>What a silo holds in memory for a million pages when nobody asks for anything, with a page cache of 64 MiB.</summary>
internal static class MemoryBenchmark
{
    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        await OnceAsync(options, report, vmos: 1);
        await OnceAsync(options, report, vmos: 1000);
    }

    private static async Task OnceAsync(BenchmarkOptions options, Report report, int vmos)
    {
        await using var machine = await Machine.StartAsync(["appendonly no", "save \"\""], "--page-cache", "64MiB");
        var empty = Machine.ResidentBytes(machine.Silo.ProcessId);
        await using var client = await machine.OverOrleansAsync(joined: true);
        var pages = options.Pages / vmos;
        await Load.ForAsync(vmos == 1 ? 1 : 8, vmos, async _ =>
        {
            var vmo = await client.CreateAsync((ulong)pages * Limits.PageBytes);
            await Filling.SequentialAsync(vmo, pages);
        });
        await Filling.RestAsync(machine);
        var resident = await RestingBytesAsync(machine);
        report.Add($"silo, {options.Pages:N0} pages in {vmos:N0} VMOs, page cache 64 MiB, idle", $"RSS {resident >> 20} MiB",
            $"empty silo {empty >> 20} MiB", $"{(resident - empty - (64 << 20)) / (double)options.Pages:F0} B a page beside the cache", "below 400 MiB");
    }

    // An idle silo gives memory back within some seconds; what it holds then is what it holds.
    private static async Task<long> RestingBytesAsync(Machine machine)
    {
        var least = Machine.ResidentBytes(machine.Silo.ProcessId);
        for (var i = 0; i < 5; i++)
        {
            await Task.Delay(TimeSpan.FromSeconds(5));
            least = Math.Min(least, Machine.ResidentBytes(machine.Silo.ProcessId));
        }

        return least;
    }
}
