using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Benchmarks;

/// <summary>
/// What it costs to make one clone, by the size of what is cloned: each kind, the parent active and not, the parent's top written to since the last
/// clone and not. One silo over redis-server, the client over Orleans.
/// </summary>
internal static class BirthBenchmark
{
    private const ulong BigSize = 64ul << 30;
    private const int Active = 200;
    private const int Cold = 15;
    private const int Warming = 400;

    private static readonly VmoKind[] Kinds = [VmoKind.Snapshot, VmoKind.Live, VmoKind.Slice, VmoKind.Reference];

    public static async Task RunAsync(BenchmarkOptions options, Report report)
    {
        await using var machine = await Machine.StartAsync(["appendonly yes", "appendfsync everysec", "save \"\""]);
        await using var client = await machine.OverOrleansAsync(joined: false);
        var (empty, full) = (await CreateAsync(client), await CreateAsync(client));
        await Filling.SequentialAsync(full, options.Pages);
        // The first calls of a silo and of a client are the compiler's.
        foreach (var kind in Kinds)
        {
            var other = await CreateAsync(client);
            for (var i = 0; i < Warming; i++)
                await other.CloneAsync(kind);
        }

        await Filling.RestAsync(machine);
        // The only one that has a million pages to freeze: a snapshot of an untouched VMO freezes nothing.
        var ofPages = await Load.MillisecondsAsync(() => full.CloneAsync(VmoKind.Snapshot));
        report.Add($"the first snapshot of a VMO of 64 GiB after {options.Pages:N0} pages were written, once", $"{ofPages:F2} ms", "", "", "2 ms");
        foreach (var kind in Kinds)
            await ActiveAsync(report, kind, empty, full, isWritten: false, options.Pages);
        await ActiveAsync(report, VmoKind.Snapshot, empty, full, isWritten: true, options.Pages);
        foreach (var kind in Kinds)
            await ColdAsync(report, machine, kind, empty, full, options.Pages);
    }

    // Slices are made of fixed VMOs only.
    private static Task<Vmo> CreateAsync(VmoClient client) => client.CreateAsync(BigSize, new() { NonResizable = true });

    private static async Task ActiveAsync(Report report, VmoKind kind, Vmo empty, Vmo full, bool isWritten, int pages)
    {
        // Taken in turns, so that what else the machine does meets both.
        var (ofEmpty, ofFull) = (new List<double>(), new List<double>());
        for (var i = 0; i < Active; i++)
        {
            foreach (var (vmo, times) in i % 2 == 0 ? new[] { (empty, ofEmpty), (full, ofFull) } : [(full, ofFull), (empty, ofEmpty)])
            {
                if (isWritten)
                    await vmo.WriteAsync(0, new byte[] { (byte)(i + 1) });
                times.Add(await Load.MillisecondsAsync(() => vmo.CloneAsync(kind)));
            }
        }

        var when = isWritten ? "a page written before each" : "active";
        Add(report, $"{kind} of a VMO of 64 GiB with {pages:N0} pages, {when}, p50 of {Active}", ofEmpty, ofFull, limit: 2);
    }

    private static async Task ColdAsync(Report report, Machine machine, VmoKind kind, Vmo empty, Vmo full, int pages)
    {
        var (ofEmpty, ofFull) = (new List<double>(), new List<double>());
        for (var i = 0; i < Cold; i++)
        {
            foreach (var (vmo, times) in i % 2 == 0 ? new[] { (empty, ofEmpty), (full, ofFull) } : [(full, ofFull), (empty, ofEmpty)])
            {
                await Given.UpAsync(machine.Raw.GetDatabase(), vmo.Koid.Value);
                times.Add(await Load.MillisecondsAsync(() => vmo.CloneAsync(kind)));
            }
        }

        Add(report, $"{kind} of it, not active, p50 of {Cold}", ofEmpty, ofFull, limit: null);
    }

    private static void Add(Report report, string what, List<double> ofEmpty, List<double> ofFull, double? limit)
    {
        var (empty, full) = (Load.Median(ofEmpty), Load.Median(ofFull));
        var missed = full / empty > 1.2 || full > limit;
        report.Add(what, $"{full:F2} ms", $"of an empty one {empty:F2} ms", $"{full / empty:F2} x", $"1.2 x{(limit is { } most ? $", {most} ms" : "")}{(missed ? ": short" : "")}");
    }
}
