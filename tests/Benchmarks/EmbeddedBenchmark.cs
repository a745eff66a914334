using System.Diagnostics;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Benchmarks;

/// <summary>The same figures on the embedded store: told, not wanted.</summary>
internal static class EmbeddedBenchmark
{
    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        await using var silo = await SiloProcess.StartAsync(new() { Arguments = ["--page-cache", "64MiB"] });
        var empty = Machine.ResidentBytes(silo.ProcessId);
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(60) });
        var vmo = await client.CreateAsync((ulong)options.Pages * Limits.PageBytes);
        var started = Stopwatch.GetTimestamp();
        await Filling.SequentialAsync(vmo, options.Pages);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        report.Add($"embedded store: {options.Pages:N0} pages written through gRPC, 1 MiB a call", $"{options.Pages * 4096.0 / seconds / 1e6:N0} MB/s");
        await Task.Delay(TimeSpan.FromSeconds(10));
        var resident = Machine.ResidentBytes(silo.ProcessId);
        var disk = new DirectoryInfo(silo.Data).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);
        report.Add("embedded store: RSS and files afterwards", $"RSS {resident >> 20} MiB, files {disk >> 20} MiB", $"empty {empty >> 20} MiB", $"{disk / (options.Pages * 4096.0):F2} x on disk");
        var small = await client.CreateAsync(4096 * Limits.PageBytes);
        await Filling.SequentialAsync(small, 4096);
        var buffers = Enumerable.Range(0, 256).Select(_ => new byte[Limits.PageBytes]).ToArray();
        var reads = await Load.RateAsync(32, options.Seconds, (caller, random) => small.ReadAsync((ulong)random.Next(4096) * Limits.PageBytes, buffers[caller]));
        var writes = await Load.RateAsync(256, options.Seconds, (caller, random) => small.WriteAsync((ulong)random.Next(4096) * Limits.PageBytes, buffers[caller]));
        report.Add("embedded store through gRPC, joined: warm 4 KiB reads (32 callers), acknowledged writes (256 callers)", $"{reads:N0} /s, {writes:N0} /s");
    }
}
