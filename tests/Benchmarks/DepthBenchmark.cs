using System.Globalization;
using VmoCluster.Client;
using VmoCluster.Harness;
using VmoCluster.OrleansClient;

namespace VmoCluster.Benchmarks;

/// <summary>
/// What depth costs where nothing is in memory: the first read of an extent, through frozen layers and through live ancestors, active and not; the
/// first write over an inherited page; a snapshot of a live clone. One silo over redis-server, the client over Orleans.
/// </summary>
internal static class DepthBenchmark
{
    private const int Chains = 5;
    private static readonly int[] Depths = [1, 16, 256, 1000];
    private static readonly string[] Redis = ["appendonly yes", "appendfsync everysec", "save \"\""];

    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        var depths = Depths.Append(options.Depth).Where(depth => depth > 0).Distinct().ToArray();
        await using var redis = await RedisServer.StartAsync(Redis);
        var built = new Dictionary<(VmoKind Kind, int Depth), VmoHandle>();
        await using (var first = await SiloProcess.StartAsync(new() { Redis = redis.Configuration, HasGateway = true }))
        {
            await using var client = await ConnectAsync(redis);
            // One clone and one read before, so that what is measured is not the compiler.
            foreach (var kind in new[] { VmoKind.Snapshot, VmoKind.Live })
                await ReadOnceAsync(await BuildAsync(client, kind, 40));
            // Before there is much else that the store is busy with.
            foreach (var depth in new[] { 1, 1000 })
                await MemoryAsync(report, redis, await BuildAsync(client, VmoKind.Snapshot, depth - 1), depth);
            foreach (var depth in depths)
            {
                // What frozen layers show is in memory where the chain was made: they are read cold below.
                built[(VmoKind.Snapshot, depth)] = (await BuildAsync(client, VmoKind.Snapshot, depth)).Handle;
                await ColdAsync(report, redis, client, VmoKind.Live, depth, "ancestors active", [.. await ManyAsync(client, depth)]);
                built[(VmoKind.Live, depth)] = (await BuildAsync(client, VmoKind.Live, depth)).Handle;
            }

            foreach (var depth in depths)
                await WriteAsync(report, client, depth);
            foreach (var depth in depths.Where(depth => depth < Limits.LiveLevelsMax))
                await SnapshotAsync(report, client, depth);
            await first.StopAsync();
        }

        await using var second = await SiloProcess.StartAsync(new() { Redis = redis.Configuration, HasGateway = true });
        await using var again = await ConnectAsync(redis);
        foreach (var kind in new[] { VmoKind.Snapshot, VmoKind.Live })
        {
            await ReadOnceAsync(await BuildAsync(again, kind, 40));
            foreach (var depth in depths)
                await ColdAsync(report, redis, again, kind, depth, "nothing active", [built[(kind, depth)]]);
        }
    }

    private static async Task<List<VmoHandle>> ManyAsync(VmoClient client, int depth)
    {
        var chains = new List<VmoHandle>();
        for (var i = 0; i < (depth <= 1000 ? Chains : 1); i++)
            chains.Add((await BuildAsync(client, VmoKind.Live, depth)).Handle);
        return chains;
    }

    // A clone that has changed nothing names its ancestors all the same.
    private static async Task MemoryAsync(Report report, RedisServer redis, Vmo deep, int depth)
    {
        const int Count = 3000;
        var before = Number(await redis.CommandAsync("INFO", "memory"), "used_memory:");
        await deep.CloneManyAsync(Count, VmoKind.Snapshot);
        var bytes = (Number(await redis.CommandAsync("INFO", "memory"), "used_memory:") - before) / (double)Count;
        report.Add($"Redis memory for a clone without a changed page at depth {depth:N0}, of {Count:N0}", $"{bytes:F0} B", "", "", "1024 B");
    }

    // Every level changes something, so that every level is there.
    private static async Task<Vmo> BuildAsync(VmoClient client, VmoKind kind, int depth)
    {
        var leaf = await client.CreateAsync(1 << 20);
        for (var page = 0; page < 256; page += 64)
            await leaf.WriteAsync((ulong)page * Limits.PageBytes, Filling.Page(page + 1));
        for (var level = 0; level < depth; level++)
        {
            leaf = await leaf.CloneAsync(kind);
            await leaf.WriteAsync((ulong)(1 + (level % 60)) * Limits.PageBytes, Filling.Page(level));
        }

        return leaf;
    }

    private static async Task ReadOnceAsync(Vmo vmo)
    {
        var page = new byte[Limits.PageBytes];
        await vmo.ReadAsync(128 * Limits.PageBytes, page);
        if (!page.AsSpan().SequenceEqual(Filling.Page(129)))
            throw new InvalidOperationException("the root's page shows something else");
    }

    // The median of some chains, and what the last of them took of Redis.
    private static async Task ColdAsync(Report report, RedisServer redis, VmoClient client, VmoKind kind, int depth, string how, VmoHandle[] chains)
    {
        var times = new List<double>();
        var (before, after) = (await CountsAsync(redis), default((long Layers, long Scripts, long Reads)));
        foreach (var handle in chains)
        {
            var vmo = client.Open(handle);
            before = await CountsAsync(redis);
            times.Add(await Load.MillisecondsAsync(() => ReadOnceAsync(vmo)));
            after = await CountsAsync(redis);
        }

        var time = Load.Median(times);
        var wanted = kind == VmoKind.Snapshot ? "a handful of round trips" : how == "ancestors active" ? "150 ms" : "1 s";
        report.Add($"first read of an extent at depth {depth:N0}, {kind}, {how}{(times.Count > 1 ? $", p50 of {times.Count}" : "")}", $"{time:F1} ms",
            $"{after.Layers - before.Layers:N0} HMGET, {after.Scripts - before.Scripts:N0} scripts; Redis read its sockets {after.Reads - before.Reads:N0} times", "", depth == 1000 ? wanted : "");
    }

    // How often Redis read what clients had sent is at least the number of round trips in a row, and much less than that of commands.
    private static async Task<(long Layers, long Scripts, long Reads)> CountsAsync(RedisServer redis)
    {
        var (commands, stats) = (await redis.CommandAsync("INFO", "commandstats"), await redis.CommandAsync("INFO", "stats"));
        return (Calls("cmdstat_hmget"), Calls("cmdstat_evalsha"), Number(stats, "total_reads_processed:"));

        long Calls(string name) => Number(commands, name + ":calls=");
    }

    private static long Number(string text, string after)
    {
        var at = text.IndexOf(after, StringComparison.Ordinal);
        if (at < 0)
            return 0;
        var digits = text.AsSpan(at + after.Length);
        var end = digits.IndexOfAnyExceptInRange('0', '9');
        return long.Parse(end < 0 ? digits : digits[..end], CultureInfo.InvariantCulture);
    }

    // The first byte written over a page that is inherited and in memory, against one over a page of its own, in turns.
    private static async Task WriteAsync(Report report, VmoClient client, int depth)
    {
        var parent = await BuildAsync(client, VmoKind.Live, depth - 1);
        var (inherited, own) = (new List<double>(), new List<double>());
        for (var i = 0; i < 60; i++)
        {
            var clone = await parent.CloneAsync(VmoKind.Live);
            await clone.WriteAsync(200 * Limits.PageBytes, Filling.Page(i));
            await clone.ReadAsync(0, new byte[256 * Limits.PageBytes]);
            await clone.WriteAsync((200 * Limits.PageBytes) + 1, new byte[] { 6 });
            // In turns, so that being second helps neither.
            foreach (var isInherited in i % 2 == 0 ? new[] { true, false } : [false, true])
            {
                var at = (isInherited ? 128 : 200ul) * Limits.PageBytes;
                (isInherited ? inherited : own).Add(await Load.MillisecondsAsync(() => clone.WriteAsync(at, new byte[] { 7 })));
            }

            await clone.CloseAsync();
        }

        report.Add($"first 1-byte write over an inherited warm page at depth {depth:N0}, live, p50", $"{Load.Median(inherited):F2} ms",
            $"over an own page {Load.Median(own):F2} ms", $"{Load.Median(inherited) / Load.Median(own):F2} x", "below 2 x");
    }

    private static async Task SnapshotAsync(Report report, VmoClient client, int depth)
    {
        var vmo = await BuildAsync(client, VmoKind.Live, depth);
        var first = await Load.MillisecondsAsync(() => vmo.CloneAsync(VmoKind.Snapshot));
        var next = new List<double>();
        for (var i = 0; i < 30; i++)
            next.Add(await Load.MillisecondsAsync(() => vmo.CloneAsync(VmoKind.Snapshot)));
        report.Add($"snapshot of a live clone at depth {depth:N0}: the first", $"{first:F1} ms", $"the next, p50 {Load.Median(next):F1} ms");
    }

    private static Task<VmoClient> ConnectAsync(RedisServer redis) =>
        OrleansVmoClient.ConnectAsync(new() { Redis = redis.Configuration }, new() { JoinCalls = false, Deadline = TimeSpan.FromSeconds(60) });
}
