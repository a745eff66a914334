using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Benchmarks;

/// <summary>What clones cost: to make, to read through, to write over, to keep. One silo over redis-server, the client over Orleans.</summary>
internal static class CloneBenchmark
{
    private const ulong BigSize = 64ul << 30;
    private const int Clones = 200;
    private const int Depth = 1000;
    private const int Fan = 1000;

    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        await using var machine = await Machine.StartAsync(["appendonly yes", "appendfsync everysec", "save \"\""]);
        await using var client = await machine.OverOrleansAsync(joined: false);
        await MakeAsync(options, report, client);
        await ManyAsync(report, machine, client);
        await using var joined = await machine.OverOrleansAsync(joined: true);
        foreach (var kind in new[] { VmoKind.Snapshot, VmoKind.Live })
            await DeepAsync(options, report, client, joined, kind);
        await FanAsync(report, client);
    }

    // A clone of a large VMO against one of an empty one of the same size.
    private static async Task MakeAsync(BenchmarkOptions options, Report report, VmoClient client)
    {
        var empty = await client.CreateAsync(BigSize);
        var full = await client.CreateAsync(BigSize);
        await Filling.SequentialAsync(full, options.Pages);
        foreach (var kind in new[] { VmoKind.Snapshot, VmoKind.Live })
        {
            // Taken in turns, so that what else the machine does meets both.
            var (ofEmpty, ofFull) = (new List<double>(), new List<double>());
            for (var i = 0; i < Clones; i++)
            {
                ofEmpty.Add(await Load.MillisecondsAsync(() => empty.CloneAsync(kind)));
                ofFull.Add(await Load.MillisecondsAsync(() => full.CloneAsync(kind)));
            }

            report.Add($"{kind} of a VMO of 64 GiB with {options.Pages:N0} pages, parent active, p50 of {Clones}", $"{Load.Median(ofFull):F2} ms",
                $"of an empty one {Load.Median(ofEmpty):F2} ms", $"{Load.Median(ofFull) / Load.Median(ofEmpty):F2} x", "1.2 x, 2 ms");
        }
    }

    private static async Task ManyAsync(Report report, Machine machine, VmoClient client)
    {
        var parent = await client.CreateAsync(BigSize);
        await parent.WriteAsync(0, new byte[] { 1 });
        foreach (var count in new[] { 1000, 10_000 })
        {
            var times = new List<double>();
            var before = await machine.RedisBytesAsync();
            for (var i = 0; i < 3; i++)
                times.Add(await Load.MillisecondsAsync(() => parent.CloneManyAsync(count, VmoKind.Snapshot)));
            var bytes = (await machine.RedisBytesAsync() - before) / (3.0 * count);
            report.Add($"CloneMany({count:N0}) of snapshots", $"{Load.Median(times):F0} ms", "", "", count == 1000 ? "100 ms" : "1 s");
            report.Add($"Redis memory for a clone without a changed page, of {3 * count:N0}", $"{bytes:F0} B", "", "", "1024 B");
        }
    }

    private static async Task DeepAsync(BenchmarkOptions options, Report report, VmoClient client, VmoClient joined, VmoKind kind)
    {
        var root = await client.CreateAsync(1 << 20);
        for (var page = 0; page < 256; page += 64)
            await root.WriteAsync((ulong)page * Limits.PageBytes, Filling.Page(page + 1));
        var leaf = root;
        for (var level = 0; level < Depth; level++)
        {
            leaf = await leaf.CloneAsync(kind);
            // Every level changes something, so that every level is there.
            await leaf.WriteAsync((ulong)(1 + (level % 60)) * Limits.PageBytes, Filling.Page(level));
        }

        var first = await Load.MillisecondsAsync(() => leaf.ReadAsync(128 * Limits.PageBytes, new byte[Limits.PageBytes]));
        report.Add($"first read of an extent at depth {Depth:N0}, {kind}, ancestors active", $"{first:F0} ms", "", "", kind == VmoKind.Live ? "150 ms" : "a handful of round trips");
        var (deep, flat) = (joined.Open(leaf.Handle), joined.Open(root.Handle));
        var (deepRates, flatRates) = (new List<double>(), new List<double>());
        for (var run = 0; run < options.Runs; run++)
        {
            flatRates.Add(await RateAsync(flat, options.Seconds));
            deepRates.Add(await RateAsync(deep, options.Seconds));
        }

        report.Rate($"4 KiB warm reads at depth {Depth:N0}, {kind}, 32 callers, joined", Load.Median(deepRates), "at depth 0", Load.Median(flatRates), 0.9);

        // The first byte written over a page that is inherited, against one over a page of its own.
        var (inherited, own) = (new List<double>(), new List<double>());
        for (var i = 0; i < 50; i++)
        {
            var clone = await leaf.CloneAsync(VmoKind.Live);
            await clone.ReadAsync(0, new byte[256 * Limits.PageBytes]);
            inherited.Add(await Load.MillisecondsAsync(() => clone.WriteAsync(128 * Limits.PageBytes, new byte[] { 7 })));
            own.Add(await Load.MillisecondsAsync(() => clone.WriteAsync((128 * Limits.PageBytes) + 1, new byte[] { 7 })));
            await clone.CloseAsync();
        }

        report.Add($"first 1-byte write over an inherited warm page at depth {Depth + 1:N0} ({kind} chain), p50", $"{Load.Median(inherited):F2} ms",
            $"over an own page {Load.Median(own):F2} ms", $"{Load.Median(inherited) / Load.Median(own):F2} x", "below 2 x");
    }

    // A write to a parent whose clones have all just read what it changes.
    private static async Task FanAsync(Report report, VmoClient client)
    {
        var parent = await client.CreateAsync(1 << 20);
        var alone = new List<double>();
        for (var i = 0; i < 50; i++)
            alone.Add(await Load.MillisecondsAsync(() => parent.WriteAsync(0, new byte[] { (byte)i })));
        var clones = await parent.CloneManyAsync(Fan, VmoKind.Live);
        var recalled = new List<double>();
        for (var i = 0; i < 10; i++)
        {
            await Load.ForAsync(32, Fan, async n => await clones[(int)n].ReadAsync(0, new byte[1]));
            recalled.Add(await Load.MillisecondsAsync(() => parent.WriteAsync(0, new byte[] { (byte)i })));
        }

        report.Add($"write to a parent when {Fan:N0} live clones (one silo) have just read the extent, p50", $"{Load.Median(recalled):F2} ms",
            $"without clones {Load.Median(alone):F2} ms", $"{Load.Median(recalled) / Load.Median(alone):F2} x", "below 5 x");
    }

    private static Task<double> RateAsync(Vmo vmo, int seconds) => Load.RateAsync(
        32, seconds, async (_, random) => await vmo.ReadAsync((ulong)random.Next(256) * Limits.PageBytes, new byte[Limits.PageBytes]));
}
