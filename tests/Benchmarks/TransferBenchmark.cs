using System.Diagnostics;
using System.Text.Json;
using StackExchange.Redis;
using VmoCluster.Harness;

namespace VmoCluster.Benchmarks;

/// <summary>
/// Import and export of incompressible bytes by the command line, against a raw loop over the same file: 64 KiB SETs or GETs, as many in
/// flight, one small commit a MiB.
/// </summary>
internal static class TransferBenchmark
{
    private const int Piece = 64 << 10;
    private const int PiecesPerCommit = 16;
    private const int CommitsInFlight = 8;

    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        var folder = Directory.CreateTempSubdirectory("vmo-transfer-").FullName;
        try
        {
            var (image, back) = (Path.Combine(folder, "image"), Path.Combine(folder, "back"));
            await FillAsync(image, options.TransferBytes);
            var figures = new List<double>[4];
            for (var i = 0; i < figures.Length; i++)
                figures[i] = [];
            var cpu = "";
            for (var run = 0; run < options.Runs; run++)
                cpu = await OnceAsync(image, back, options.TransferBytes, figures);
            var gib = options.TransferBytes / (double)(1 << 30);
            report.Rate($"import of {gib:F1} GiB incompressible", Load.Median(figures[1]) / 1e6, "raw loop of SETs", Load.Median(figures[0]) / 1e6, 0.4, "MB/s");
            report.Rate($"export of {gib:F1} GiB incompressible", Load.Median(figures[3]) / 1e6, "raw loop of GETs", Load.Median(figures[2]) / 1e6, 0.4, "MB/s");
            report.Add("CPU seconds per GiB of the last run", cpu);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<string> OnceAsync(string image, string back, long bytes, List<double>[] figures)
    {
        await using var machine = await Machine.StartAsync(["appendonly no", "save \"\""]);
        var database = machine.Raw.GetDatabase();
        figures[0].Add(bytes / await TimeAsync(() => RawImportAsync(database, image, bytes)));
        figures[2].Add(bytes / await TimeAsync(() => RawExportAsync(database, back, bytes)));
        await machine.Raw.GetServers()[0].ExecuteAsync("EVAL", "for _,k in ipairs(redis.call('KEYS','raw:*')) do redis.call('UNLINK',k) end return 1", "0");
        var gib = bytes / (double)(1 << 30);
        var before = Cpu(machine);
        var handle = "";
        var importer = 0.0;
        figures[1].Add(bytes / await TimeAsync(async () => (handle, importer) = await CliAsync(machine, "import", image)));
        var middle = Cpu(machine);
        var exporter = 0.0;
        figures[3].Add(bytes / await TimeAsync(async () => (_, exporter) = await CliAsync(machine, "export", handle, back, "--force")));
        var after = Cpu(machine);
        if (!await SameAsync(image, back))
            throw new InvalidOperationException("what was exported is not what was imported");
        return $"import: vmo {importer / gib:F2}, silo {(middle.Silo - before.Silo) / gib:F2}, redis {(middle.Redis - before.Redis) / gib:F2}; "
            + $"export: vmo {exporter / gib:F2}, silo {(after.Silo - middle.Silo) / gib:F2}, redis {(after.Redis - middle.Redis) / gib:F2}";
    }

    private static async Task RawImportAsync(IDatabase database, string image, long bytes)
    {
        using var file = File.OpenHandle(image);
        await Load.ForAsync(CommitsInFlight, bytes / (Piece * PiecesPerCommit), async commit =>
        {
            var sets = new Task[PiecesPerCommit];
            for (var i = 0; i < PiecesPerCommit; i++)
            {
                var buffer = new byte[Piece];
                await RandomAccess.ReadAsync(file, buffer, ((commit * PiecesPerCommit) + i) * Piece);
                sets[i] = database.StringSetAsync($"raw:{(commit * PiecesPerCommit) + i}", buffer);
            }

            await Task.WhenAll(sets);
            await database.HashSetAsync("raw:commits", commit, "done");
        });
    }

    private static async Task RawExportAsync(IDatabase database, string back, long bytes)
    {
        using var file = File.OpenHandle(back, FileMode.Create, FileAccess.Write);
        await Load.ForAsync(CommitsInFlight, bytes / (Piece * PiecesPerCommit), async commit =>
        {
            var gets = Enumerable.Range(0, PiecesPerCommit).Select(i => database.StringGetAsync($"raw:{(commit * PiecesPerCommit) + i}")).ToArray();
            for (var i = 0; i < PiecesPerCommit; i++)
                await RandomAccess.WriteAsync(file, (byte[])(await gets[i])!, ((commit * PiecesPerCommit) + i) * Piece);
        });
    }

    private static async Task<(string Handle, double CpuSeconds)> CliAsync(Machine machine, string verb, params string[] arguments)
    {
        var start = new ProcessStartInfo(BuiltServer.Find("client/Cli", "vmo"), [verb, .. arguments, "--json", "--endpoint", machine.Silo.Endpoint.ToString()])
        {
            RedirectStandardOutput = true,
        };
        var before = Machine.EndedChildrenCpuSeconds();
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"vmo {verb} ended with {process.ExitCode}");
        using var json = JsonDocument.Parse(output);
        return (json.RootElement.TryGetProperty("handle", out var handle) ? handle.GetString()! : "", Machine.EndedChildrenCpuSeconds() - before);
    }

    private static (double Silo, double Redis) Cpu(Machine machine) => (Machine.CpuSeconds(machine.Silo.ProcessId), Machine.CpuSeconds(machine.Redis.ProcessId));

    private static async Task<double> TimeAsync(Func<Task> work)
    {
        var started = Stopwatch.GetTimestamp();
        await work();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static async Task FillAsync(string path, long bytes)
    {
        await using var file = File.Create(path);
        var buffer = new byte[1 << 20];
        var random = new Random(7);
        for (var at = 0L; at < bytes; at += buffer.Length)
        {
            random.NextBytes(buffer);
            await file.WriteAsync(buffer);
        }
    }

    private static async Task<bool> SameAsync(string left, string right)
    {
        await using var one = File.OpenRead(left);
        await using var other = File.OpenRead(right);
        var hash = await System.Security.Cryptography.SHA256.HashDataAsync(one);
        var otherHash = await System.Security.Cryptography.SHA256.HashDataAsync(other);
        return hash.SequenceEqual(otherHash);
    }
}
