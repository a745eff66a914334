using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Benchmarks;

/// <summary>
/// What a silo holds in memory for 10,000 clones of one parent, half live and half snapshots, each of which has read a page and written one, when
/// nobody asks for anything any more.
/// </summary>
internal static class FamilyMemoryBenchmark
{
    private const int Clones = 10_000;
    private const int PageCacheMiB = 64;

    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        await using var machine = await Machine.StartAsync(["appendonly no", "save \"\""], "--page-cache", $"{PageCacheMiB}MiB");
        await using var client = await machine.OverOrleansAsync(joined: true);
        var parent = await client.CreateAsync(1 << 20);
        await Filling.SequentialAsync(parent, 256);
        // What a silo takes once, whatever it does: the code, the connections, the collector's own.
        await UseAsync(await parent.CloneManyAsync(200, VmoKind.Live));
        await UseAsync(await parent.CloneManyAsync(200, VmoKind.Snapshot));
        var before = await IdleAsync(machine, options.Seconds);
        await UseAsync(await parent.CloneManyAsync(Clones / 2, VmoKind.Live));
        await UseAsync(await parent.CloneManyAsync(Clones / 2, VmoKind.Snapshot));
        var after = await IdleAsync(machine, options.Seconds);
        var (resident, heap) = (after.Resident - before.Resident - (after.Pages - before.Pages), after.Heap - before.Heap - (after.Pages - before.Pages));
        report.Add($"{Clones:N0} clones, each has read and written a page, idle for a minute: silo memory beyond the pages, resident", Text(resident),
            $"RSS {Text(after.Resident)}, of pages {Text(after.Pages)}; before {Text(before.Resident)}, of pages {Text(before.Pages)}", $"{resident / Clones:N0} B a clone",
            resident < 64 << 20 ? "below 64 MiB" : "below 64 MiB: short");
        report.Add("the same, of the managed heap as last collected", Text(heap), $"{Text(after.Heap)}; before {Text(before.Heap)}", $"{heap / Clones:N0} B a clone",
            heap < 64 << 20 ? "below 64 MiB" : "below 64 MiB: short");
        report.Add("of it: VMOs active, slot maps, grants", $"{after.Active:N0}, {Text(after.Maps)}, {Text(after.Grants)}");
    }

    private static async Task UseAsync(IReadOnlyList<Vmo> clones) => await Load.ForAsync(16, clones.Count, async n =>
    {
        var page = new byte[Limits.PageBytes];
        await clones[(int)n].ReadAsync(((ulong)n % 100) * Limits.PageBytes, page);
        page[0] ^= (byte)n;
        await clones[(int)n].WriteAsync((100 + ((ulong)n % 100)) * Limits.PageBytes, page);
    });

    // A minute without a call. What it holds then is what it holds: the least of some looks, for telling is work, too.
    private static async Task<Held> IdleAsync(Machine machine, int seconds)
    {
        await Task.Delay(TimeSpan.FromSeconds(Math.Max(seconds, 60)));
        Held? least = null;
        for (var looks = 0; looks < 3; looks++)
        {
            var held = new Held(
                Machine.ResidentBytes(machine.Silo.ProcessId), await FigureAsync("dotnet_gc_last_collection_heap_size_bytes"), await FigureAsync("vmo_cache_bytes"),
                await FigureAsync("vmo_map_bytes"), await FigureAsync("vmo_grant_bytes"), await FigureAsync("vmo_activations"));
            least = least is null || held.Resident < least.Resident ? held : least;
            await Task.Delay(TimeSpan.FromSeconds(2));
        }

        return least!;

        async Task<long> FigureAsync(string name) => (long)await SiloFigures.SumAsync(machine.Silo, name);
    }

    private static string Text(long bytes) => $"{bytes / (double)(1 << 20):F1} MiB";

    private sealed record Held(long Resident, long Heap, long Pages, long Maps, long Grants, long Active);
}
