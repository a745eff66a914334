using System.Diagnostics;
using System.Globalization;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Benchmarks;

/// <summary>
/// What folding costs: a loop of writing a page, making a snapshot and closing it, against the same loop with the snapshot of another VMO, under
/// which nothing has to be folded. One silo over redis-server.
/// </summary>
internal static class FoldBenchmark
{
    private const int Rounds = 3000;
    private const int Pages = 256;

    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        await using var machine = await Machine.StartAsync(["appendonly yes", "appendfsync everysec", "save \"\""]);
        await using var client = await machine.OverOrleansAsync(joined: false);
        await LoopAsync(machine, client, 300, isFolded: true);
        await LoopAsync(machine, client, 300, isFolded: false);
        var (folded, plain) = (new List<Cost>(), new List<Cost>());
        for (var run = 0; run < options.Runs; run++)
        {
            plain.Add(await LoopAsync(machine, client, Rounds, isFolded: false));
            folded.Add(await LoopAsync(machine, client, Rounds, isFolded: true));
        }

        Add("time of a round", "ms", 1000.0 / Rounds, cost => cost.Seconds);
        Add("bytes that Redis took in, a round", "B", 1.0 / Rounds, cost => cost.Received);
        Add("bytes that Redis gave out, a round", "B", 1.0 / Rounds, cost => cost.Given);
        Add("commands of Redis, a round", "", 1.0 / Rounds, cost => cost.Commands);
        Add("CPU of the silo, a round", "ms", 1000.0 / Rounds, cost => cost.SiloCpu);
        Add("bytes in Redis at the end", "B", 1, cost => cost.Stored);

        void Add(string what, string unit, double scale, Func<Cost, double> of)
        {
            var (with, without) = (scale * Load.Median([.. folded.Select(of)]), scale * Load.Median([.. plain.Select(of)]));
            report.Add($"{{write a page; snapshot; close it}}, {Rounds:N0} rounds over {Pages} pages: {what}", string.Create(CultureInfo.InvariantCulture, $"{with:N2} {unit}"),
                string.Create(CultureInfo.InvariantCulture, $"snapshots of another VMO {without:N2} {unit}"), string.Create(CultureInfo.InvariantCulture, $"{with / without:F2} x"));
        }
    }

    private static async Task<Cost> LoopAsync(Machine machine, VmoClient client, int rounds, bool isFolded)
    {
        var written = await client.CreateAsync(Pages * Limits.PageBytes);
        var cloned = isFolded ? written : await client.CreateAsync(Pages * Limits.PageBytes);
        await Filling.SequentialAsync(written, Pages);
        await Filling.RestAsync(machine);
        var before = await SumsAsync(machine);
        var page = new byte[Limits.PageBytes];
        new Random(1).NextBytes(page);
        for (var round = 0; round < rounds; round++)
        {
            page[round % page.Length]++;
            await written.WriteAsync((ulong)(round * 7 % Pages) * Limits.PageBytes, page);
            await (await cloned.CloneAsync(VmoKind.Snapshot)).CloseAsync();
        }

        var seconds = Stopwatch.GetElapsedTime(before.At).TotalSeconds;
        await Filling.RestAsync(machine);
        var after = await SumsAsync(machine);
        await written.CloseAsync();
        if (!ReferenceEquals(written, cloned))
            await cloned.CloseAsync();
        return new(seconds, after.Received - before.Received, after.Given - before.Given, after.Commands - before.Commands, after.Cpu - before.Cpu, after.Stored - before.Stored);
    }

    private static async Task<Sums> SumsAsync(Machine machine)
    {
        var stats = await machine.Redis.CommandAsync("INFO", "stats");
        return new(Stopwatch.GetTimestamp(), Of("total_net_input_bytes:"), Of("total_net_output_bytes:"), Of("total_commands_processed:"), Machine.CpuSeconds(machine.Silo.ProcessId), await machine.RedisBytesAsync());

        long Of(string name) => long.Parse(stats.Split('\n').First(line => line.StartsWith(name, StringComparison.Ordinal)).AsSpan(name.Length).Trim(), CultureInfo.InvariantCulture);
    }

    private sealed record Sums(long At, long Received, long Given, long Commands, double Cpu, long Stored);

    private sealed record Cost(double Seconds, double Received, double Given, double Commands, double SiloCpu, double Stored);
}
