using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Benchmarks;

/// <summary>What Redis holds for each page of 4096 incompressible bytes, at rest and at the peak.</summary>
internal static class SpaceBenchmark
{
    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        await OnceAsync(options, report, "sequential", Filling.SequentialAsync, "below 1.05 x");
        await OnceAsync(options, report, "random", Filling.RandomAsync, "below 1.10 x");
    }

    private static async Task OnceAsync(BenchmarkOptions options, Report report, string name, Func<Vmo, int, Task> fill, string wanted)
    {
        await using var machine = await Machine.StartAsync(["appendonly no", "save \"\""]);
        var empty = await machine.RedisBytesAsync();
        await using var client = await machine.OverOrleansAsync(joined: true);
        var vmo = await client.CreateAsync((ulong)options.Pages * Limits.PageBytes);
        await fill(vmo, options.Pages);
        var written = await machine.RedisBytesAsync() - empty;
        await Filling.RestAsync(machine);
        var rest = await machine.RedisBytesAsync() - empty;
        var peak = await machine.RedisBytesAsync("used_memory_peak") - empty;
        var pages = (double)options.Pages * Limits.PageBytes;
        report.Add($"Redis memory for {options.Pages:N0} pages, {name} writes, at rest", $"{rest / (double)options.Pages:F0} B a page", "4096 B", $"{rest / pages:F3} x", wanted);
        report.Add("right after writing, and at the peak", $"{written / pages:F3} x, {peak / pages:F3} x");
        await vmo.CloseAsync();
    }
}
