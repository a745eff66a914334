using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Benchmarks;

/// <summary>
/// Disks over NBD against qemu-nbd and nbdkit: the same fio jobs over unix sockets in the same run, files of the peers in memory (/dev/shm), but for writes that must be on the disk
/// (FUA), where both are on the same disk. One silo over redis-server. Needs fio, qemu-utils, nbdkit, libnbd-bin and redis-benchmark (redis-tools).
/// </summary>
internal static class NbdBenchmark
{
    private const int Depth = 256;
    private const long DiskBytes = 256 << 20;

    // Of qcow2, as it is without being told.
    private const int ClusterBytes = 64 << 10;
    private const long CopyBytes = 1L << 30;

    // What nbdcopy asks for at a time.
    private const int CopyPieceBytes = 256 << 10;
    private static readonly string[] Kept = ["appendonly yes", "save \"\""];

    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        await using var peers = new Peers();
        var folder = peers.Folder("/dev/shm");
        var (image, dense) = (Path.Combine(folder, "image"), Path.Combine(folder, "dense"));
        await FillAsync(image, DiskBytes);
        await FillAsync(dense, CopyBytes);
        await using (var machine = await StartAsync(peers, "everysec"))
        {
            await using var client = machine.Machine.OverGrpc(joined: false);
            var root = await client.CreateAsync(DiskBytes);
            await ToolAsync("nbdcopy", image, machine.Uri(root));
            var (snapshot, live) = (await ChainAsync(client, root, VmoKind.Snapshot), await ChainAsync(client, root, VmoKind.Live));
            var raw = await peers.QemuNbdAsync("raw", await CopyAsync(image, Path.Combine(folder, "raw")));
            var chain = await peers.QemuNbdAsync("qcow2", await OverlaysAsync(folder, image));
            var memory = await peers.NbdkitAsync(CopyBytes);
            await ToolAsync("nbdcopy", image, memory);

            var reads = await RatesAsync(options, "randread", 32, machine.Uri(root), raw, machine.Uri(snapshot), machine.Uri(live), chain);
            report.Rate("NBD, 4 KiB randread, QD 32, warm, depth 0", reads[0].Rate, "qemu-nbd, a raw file in memory", reads[1].Rate, 1.0);
            report.Rate($"the same at depth {Depth}, snapshots", reads[2].Rate, "own depth 0", reads[0].Rate, 0.9);
            report.Rate($"the same at depth {Depth}, live", reads[3].Rate, "own depth 0", reads[0].Rate, 0.9);
            report.Rate($"the same at depth {Depth}, the slower of the two", Math.Min(reads[2].Rate, reads[3].Rate), $"qemu-nbd, {Depth} overlays", reads[4].Rate, 10);
            var writes = await RatesAsync(options, "randwrite", 32, machine.Uri(root), raw);
            report.Rate("NBD, 4 KiB randwrite acknowledged (everysec), QD 32", writes[0].Rate, "qemu-nbd, a raw file in memory, writeback", writes[1].Rate, 0.5);
            var single = await RatesAsync(options, "randread", 1, machine.Uri(root), memory);
            report.Add("NBD, 4 KiB randread, QD 1, warm, p99", $"{single[0].P99Us:F0} us", $"nbdkit memory {single[1].P99Us:F0} us", $"{single[0].P99Us / single[1].P99Us:F2} x", "at most 2 x");

            var back = Path.Combine(folder, "back");
            var (into, outOf, again, intoPeer, outOfPeer, intoRedis) = (new List<double>(), new List<double>(), new List<double>(), new List<double>(), new List<double>(), new List<double>());
            for (var run = 0; run < options.Runs; run++)
            {
                var disk = await client.CreateAsync(CopyBytes);
                into.Add(await SecondsAsync(() => ToolAsync("nbdcopy", dense, machine.Uri(disk))));
                intoPeer.Add(await SecondsAsync(() => ToolAsync("nbdcopy", dense, memory)));
                outOf.Add(await SecondsAsync(() => ToolAsync("nbdcopy", machine.Uri(disk), back)));
                again.Add(await SecondsAsync(() => ToolAsync("nbdcopy", machine.Uri(disk), back)));
                intoRedis.Add(await SetsAsync());
                outOfPeer.Add(await SecondsAsync(() => ToolAsync("nbdcopy", memory, back)));
                await disk.CloseAsync();
            }

            double Mb(List<double> seconds) => CopyBytes / Load.Median(seconds) / 1e6;
            report.Rate("nbdcopy of a dense 1 GiB into a disk", Mb(into), "nbdkit memory", Mb(intoPeer), 0.3, "MB/s");
            report.Rate("nbdcopy of it out of the disk", Mb(outOf), "nbdkit memory", Mb(outOfPeer), 0.3, "MB/s");
            report.Rate("the same again, from the silo's memory", Mb(again), "nbdkit memory", Mb(outOfPeer), 0.3, "MB/s");
            report.Add("what a redis-server of its own takes of 1 GiB, in SETs of 256 KiB", $"{Mb(intoRedis):F0} MB/s", $"nbdkit memory {Mb(intoPeer):F0} MB/s", $"{Mb(intoRedis) / Mb(intoPeer):F2} x", "the limit of nbdcopy into a disk");
        }

        await using var always = await StartAsync(peers, "always");
        await using var writer = always.Machine.OverGrpc(joined: false);
        var durable = await writer.CreateAsync(DiskBytes);
        var onDisk = await peers.QemuNbdAsync("raw", await CopyAsync(image, Path.Combine(peers.Folder(Path.GetTempPath()), "raw")));
        var (ours, theirs) = (new List<double>(), new List<double>());
        for (var run = 0; run < options.Runs; run++)
        {
            ours.Add(await ForcedAsync(always.Uri(durable), options.Seconds));
            theirs.Add(await ForcedAsync(onDisk, options.Seconds));
        }

        report.Rate("NBD, 4 KiB writes with FUA (appendfsync always), QD 32", Load.Median(ours), "qemu-nbd with FUA on the same disk", Load.Median(theirs), 0.5);
    }

    private static async Task<Served> StartAsync(Peers peers, string fsync)
    {
        var socket = Path.Combine(peers.Folder(Path.GetTempPath()), "vmo");
        return new(await Machine.StartAsync([.. Kept, $"appendfsync {fsync}"], "--nbd", $"unix:{socket}", "--page-cache", "3GiB"), socket);
    }

    // The raw limit: as many bytes, nobody in between, and the same log.
    private static async Task<double> SetsAsync()
    {
        await using var redis = await RedisServer.StartAsync([.. Kept, "appendfsync everysec"]);
        var count = (CopyBytes / CopyPieceBytes).ToString(CultureInfo.InvariantCulture);
        return await SecondsAsync(() => ToolAsync(
            "redis-benchmark", "-p", redis.Port.ToString(CultureInfo.InvariantCulture), "-t", "set", "-d", CopyPieceBytes.ToString(CultureInfo.InvariantCulture), "-n", count, "-r", count, "-c", "16", "-q"));
    }

    // A page is written on each level, as overlays have it below.
    private static async Task<Vmo> ChainAsync(VmoClient client, Vmo root, VmoKind kind)
    {
        var vmo = client.Open(root.Handle);
        for (var level = 1; level <= Depth; level++)
        {
            vmo = await vmo.CloneAsync(kind);
            await vmo.WriteAsync((ulong)level * Limits.PageBytes, Filling.Page(level));
        }

        return vmo;
    }

    private static async Task<string> OverlaysAsync(string folder, string image)
    {
        var (below, format) = (image, "raw");
        for (var level = 1; level <= Depth; level++)
        {
            var overlay = Path.Combine(folder, $"overlay-{level}");
            // Without opening all that lie below, which would take minutes: a whole cluster is written, so nothing of them is needed.
            await ToolAsync("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", below, "-F", format, overlay, DiskBytes.ToString(CultureInfo.InvariantCulture));
            var alone = $$"""json:{"driver":"qcow2","file":{"driver":"file","filename":"{{overlay}}"},"backing":null}""";
            await ToolAsync("qemu-io", "-c", string.Create(CultureInfo.InvariantCulture, $"write -q -P {level % 256} {level * ClusterBytes} {ClusterBytes}"), alone);
            (below, format) = (overlay, "qcow2");
        }

        return below;
    }

    // Turn by turn, so that a machine that changes its speed does so to all of them.
    private static async Task<(double Rate, double P99Us)[]> RatesAsync(BenchmarkOptions options, string pattern, int queue, params string[] uris)
    {
        var found = uris.Select(_ => new List<(double Rate, double P99Us)>()).ToArray();
        // Warm: every byte was read once, and the compiler has seen the path.
        foreach (var uri in uris)
        {
            await ToolAsync("nbdcopy", uri, "null:");
            await FioAsync(uri, pattern, queue, Math.Max(1, options.Seconds / 2));
        }

        for (var run = 0; run < options.Runs; run++)
        {
            for (var i = 0; i < uris.Length; i++)
                found[i].Add(await FioAsync(uris[i], pattern, queue, options.Seconds));
        }

        return [.. found.Select(runs => (Load.Median([.. runs.Select(run => run.Rate)]), Load.Median([.. runs.Select(run => run.P99Us)])))];
    }

    private static async Task<(double Rate, double P99Us)> FioAsync(string uri, string pattern, int queue, int seconds)
    {
        var said = await ToolAsync(
            "fio", "--name=job", "--output-format=json", "--ioengine=nbd", $"--uri={uri}", $"--rw={pattern}", "--bs=4k", $"--iodepth={queue}", $"--size={DiskBytes}", "--time_based",
            $"--runtime={seconds}", "--randrepeat=0", "--norandommap=1");
        using var json = JsonDocument.Parse(said[said.IndexOf('{', StringComparison.Ordinal)..]);
        var side = json.RootElement.GetProperty("jobs")[0].GetProperty(pattern == "randread" ? "read" : "write");
        return (side.GetProperty("iops").GetDouble(), side.GetProperty("clat_ns").GetProperty("percentile").GetProperty("99.000000").GetDouble() / 1000);
    }

    // A disk without a write cache is one whose every write QEMU sends with FUA.
    private static async Task<double> ForcedAsync(string uri, int seconds)
    {
        const int Step = 101 * Limits.PageBytes;
        var count = 500;
        for (var time = await OnceAsync(); ; time = await OnceAsync())
        {
            if (time > seconds / 2.0)
                return count / time;
            count *= 4;
        }

        Task<double> OnceAsync() => SecondsAsync(() => ToolAsync(
            "qemu-img", "bench", "-w", "-t", "writethrough", "-f", "raw", "-s", "4096", "-S", Step.ToString(CultureInfo.InvariantCulture), "-d", "32", "-c",
            count.ToString(CultureInfo.InvariantCulture), uri));
    }

    private static async Task<string> CopyAsync(string from, string to)
    {
        await using var source = File.OpenRead(from);
        await using var target = File.Create(to);
        await source.CopyToAsync(target);
        return to;
    }

    private static async Task FillAsync(string path, long bytes)
    {
        await using var file = File.Create(path);
        var (buffer, random) = (new byte[1 << 20], new Random(7));
        for (var at = 0L; at < bytes; at += buffer.Length)
        {
            random.NextBytes(buffer);
            await file.WriteAsync(buffer);
        }
    }

    private static async Task<double> SecondsAsync(Func<Task> work)
    {
        var started = Stopwatch.GetTimestamp();
        await work();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static async Task<string> ToolAsync(string program, params string[] arguments)
    {
        using var process = ChildProcess.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true });
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? await output : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {await error}");
    }

    private sealed record Served(Machine Machine, string Socket) : IAsyncDisposable
    {
        public string Uri(Vmo vmo) => $"nbd+unix:///{vmo.Handle.Reveal()}?socket={Socket}";

        public ValueTask DisposeAsync() => Machine.DisposeAsync();
    }

    /// <summary>Other servers of disks, and the folders of all.</summary>
    private sealed class Peers : IAsyncDisposable
    {
        private readonly List<Process> _running = [];
        private readonly List<string> _folders = [];

        public string Folder(string under)
        {
            _folders.Add(Path.Combine(under, $"vmo-nbd-{Guid.NewGuid():n}"));
            return Directory.CreateDirectory(_folders[^1]).FullName;
        }

        public Task<string> QemuNbdAsync(string format, string file) =>
            StartAsync(socket => new("qemu-nbd", ["--socket", socket, "--format", format, "--cache", "writeback", "--shared", "16", "--persistent", "--export-name", "disk", file]), "disk");

        public Task<string> NbdkitAsync(long bytes) =>
            StartAsync(socket => new("nbdkit", ["--foreground", "--unix", socket, "memory", $"size={bytes}"]), "");

        public async ValueTask DisposeAsync()
        {
            foreach (var process in _running)
            {
                process.Kill();
                await process.WaitForExitAsync();
                process.Dispose();
            }

            foreach (var folder in _folders)
                Directory.Delete(folder, recursive: true);
        }

        private async Task<string> StartAsync(Func<string, ProcessStartInfo> start, string export)
        {
            var socket = Path.Combine(Folder(Path.GetTempPath()), "peer");
            _running.Add(ChildProcess.Start(start(socket)));
            await Eventually.UntilAsync("a peer listens", () => File.Exists(socket));
            return $"nbd+unix:///{export}?socket={socket}";
        }
    }
}
