using System.Diagnostics;
using VmoCluster.Client;
using VmoCluster.Harness;
using VmoCluster.OrleansClient;

namespace VmoCluster.Benchmarks;

/// <summary>Families spread over three silos on one machine and one redis-server: warm reads at depth, writes to a parent that everybody reads through.</summary>
internal static class FanOutBenchmark
{
    private const int Depth = 1000;
    private const int Fan = 1000;
    private const int Readers = 12;

    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        await using var redis = await RedisServer.StartAsync(["appendonly yes", "appendfsync everysec", "save \"\""]);
        await using var cluster = await SiloCluster.StartAsync(3, new() { HasGateway = true }, redis);
        await using var client = await ConnectAsync(redis, joined: false);
        await using var joined = await ConnectAsync(redis, joined: true);
        foreach (var kind in new[] { VmoKind.Snapshot, VmoKind.Live })
            await DeepAsync(options, report, client, joined, kind);
        await FanAsync(options, report, cluster, client);
    }

    // Orleans puts each VMO where it likes: two thirds of the ancestors lie on other silos than the reader, and the readers on all three.
    private static async Task DeepAsync(BenchmarkOptions options, Report report, VmoClient client, VmoClient joined, VmoKind kind)
    {
        var root = await RootAsync(client);
        var leaf = root;
        for (var level = 1; level < Depth; level++)
        {
            leaf = await leaf.CloneAsync(kind);
            await leaf.WriteAsync((ulong)(1 + (level % 60)) * Limits.PageBytes, Filling.Page(level));
        }

        var (flat, deep) = (new List<Vmo>(), new List<Vmo>());
        for (var i = 0; i < Readers; i++)
        {
            var last = await leaf.CloneAsync(kind);
            await last.WriteAsync(61 * Limits.PageBytes, Filling.Page(i));
            deep.Add(joined.Open(last.Handle));
            var alone = await RootAsync(client);
            for (var page = 1; page <= 61; page++)
                await alone.WriteAsync((ulong)page * Limits.PageBytes, Filling.Page(page));
            flat.Add(joined.Open(alone.Handle));
        }

        // The first reads of an extent ask the ancestors, and compile the path: they are timed elsewhere.
        foreach (var vmo in flat.Concat(deep))
            await vmo.ReadAsync(0, new byte[1 << 20]);
        foreach (var vmos in new[] { flat, deep })
            await RateAsync(vmos, 1);
        var (deepRates, flatRates) = (new List<double>(), new List<double>());
        for (var run = 0; run < options.Runs; run++)
        {
            flatRates.Add(await RateAsync(flat, options.Seconds));
            deepRates.Add(await RateAsync(deep, options.Seconds));
        }

        report.Rate($"4 KiB warm reads of {Readers} VMOs at depth {Depth:N0}, {kind}, three silos, 32 callers, joined", Load.Median(deepRates), $"of {Readers} at depth 0", Load.Median(flatRates), 0.9);
    }

    private static async Task FanAsync(BenchmarkOptions options, Report report, SiloCluster cluster, VmoClient client)
    {
        var parent = await client.CreateAsync(1 << 20);
        var alone = new List<double>();
        var hotAlone = await Load.RateAsync(1, options.Seconds, (_, _) => parent.WriteAsync(0, new byte[] { 1 }));
        for (var i = 0; i < 20 * options.Runs; i++)
            alone.Add(await Load.MillisecondsAsync(() => parent.WriteAsync(0, new byte[] { (byte)i })));
        var clones = await parent.CloneManyAsync(Fan, VmoKind.Live);
        await Load.ForAsync(32, Fan, async n => await clones[(int)n].ReadAsync(0, new byte[1]));
        // First the loops, here as above: what is timed singly after them does not meet the compiler.
        var (reads, isWriting) = (0L, true);
        var readers = Task.WhenAll(Enumerable.Range(0, 8).Select(reader => Task.Run(async () =>
        {
            var random = new Random(reader);
            while (Volatile.Read(ref isWriting))
            {
                await clones[random.Next(Fan)].ReadAsync(0, new byte[1]);
                Interlocked.Increment(ref reads);
            }
        })));
        var started = Stopwatch.GetTimestamp();
        var hot = await Load.RateAsync(1, options.Seconds, (_, _) => parent.WriteAsync(0, new byte[] { 2 }));
        Volatile.Write(ref isWriting, false);
        await readers;
        report.Add($"one writer in a loop, while 8 readers read its page through {Fan:N0} live clones on three silos", $"{hot:N0} writes/s, {reads / Stopwatch.GetElapsedTime(started).TotalSeconds:N0} reads/s",
            $"the writer without clones {hotAlone:N0} /s", $"{hot / hotAlone:F2} x");

        var recalled = new List<double>();
        var before = await RecallsAsync(cluster);
        for (var i = 0; i < 20 * options.Runs; i++)
        {
            await Load.ForAsync(32, Fan, async n =>
            {
                var read = new byte[1];
                await clones[(int)n].ReadAsync(0, read);
                if (i > 0 && read[0] != (byte)(i + 99))
                    throw new InvalidOperationException($"clone {n} shows {read[0]} after {i + 99} was written to its parent");
            });
            recalled.Add(await Load.MillisecondsAsync(() => parent.WriteAsync(0, new byte[] { (byte)(i + 100) })));
        }

        var after = await RecallsAsync(cluster);
        var ratio = Load.Median(recalled) / Load.Median(alone);
        report.Add($"write to a parent when {Fan:N0} live clones on three silos have just read the extent, p50 of {recalled.Count}", $"{Load.Median(recalled):F2} ms",
            $"without clones {Load.Median(alone):F2} ms", $"{ratio:F2} x", ratio < 5 ? "below 5 x" : "below 5 x: short");
        report.Add("its recall, as the parent's silo sees it, mean", $"{1000 * (after.Seconds - before.Seconds) / (after.Count - before.Count):F2} ms of {after.Count - before.Count:F0}");
        // The same reads, through which nothing is to be taken back.
        var other = await client.CreateAsync(1 << 20);
        var afterReads = new List<double>();
        for (var i = 0; i < 20 * options.Runs; i++)
        {
            await Load.ForAsync(32, Fan, async n => await clones[(int)n].ReadAsync(0, new byte[1]));
            afterReads.Add(await Load.MillisecondsAsync(() => other.WriteAsync(0, new byte[] { (byte)i })));
        }

        report.Add("the same reads, then a write to a VMO without clones, p50", $"{Load.Median(afterReads):F2} ms", "", $"recalled: {Load.Median(recalled) / Load.Median(afterReads):F2} x");
    }

    private static async Task<(double Seconds, double Count)> RecallsAsync(SiloCluster cluster)
    {
        var (seconds, count) = (0.0, 0.0);
        foreach (var silo in cluster.Silos)
        {
            seconds += await SiloFigures.SumAsync(silo, "vmo_recall_duration_seconds_sum");
            count += await SiloFigures.SumAsync(silo, "vmo_recall_duration_seconds_count");
        }

        return (seconds, count);
    }

    private static async Task<Vmo> RootAsync(VmoClient client)
    {
        var root = await client.CreateAsync(1 << 20);
        for (var page = 0; page < 256; page += 64)
            await root.WriteAsync((ulong)page * Limits.PageBytes, Filling.Page(page + 1));
        return root;
    }

    private static Task<double> RateAsync(List<Vmo> vmos, int seconds) => Load.RateAsync(
        32, seconds, async (caller, random) => await vmos[caller % vmos.Count].ReadAsync((ulong)random.Next(256) * Limits.PageBytes, new byte[Limits.PageBytes]));

    private static Task<VmoClient> ConnectAsync(RedisServer redis, bool joined) =>
        OrleansVmoClient.ConnectAsync(new() { Redis = redis.Configuration }, new() { JoinCalls = joined, Deadline = TimeSpan.FromSeconds(60) });
}
