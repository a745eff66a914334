using System.Globalization;
using VmoCluster.Benchmarks;
using VmoCluster.Harness;

// dotnet run -c Release --project tests/Benchmarks -- [NAME...] [--runs N] [--pages N] [--bytes N] [--seconds N] [--depth N]
// Prints a Markdown table: each figure as a ratio against a raw limit measured in the same run.
var benchmarks = new Dictionary<string, Func<BenchmarkOptions, Report, Task>>(StringComparer.Ordinal)
{
    ["reads"] = ReadBenchmark.RunAsync,
    ["writes"] = WriteBenchmark.RunAsync,
    ["transfer"] = TransferBenchmark.RunAsync,
    ["memory"] = MemoryBenchmark.RunAsync,
    ["space"] = SpaceBenchmark.RunAsync,
    ["embedded"] = EmbeddedBenchmark.RunAsync,
    ["clones"] = CloneBenchmark.RunAsync,
    ["depth"] = DepthBenchmark.RunAsync,
    ["births"] = BirthBenchmark.RunAsync,
    ["fan-out"] = FanOutBenchmark.RunAsync,
    ["idle-clones"] = FamilyMemoryBenchmark.RunAsync,
    ["folds"] = FoldBenchmark.RunAsync,
    ["nbd"] = NbdBenchmark.RunAsync,
};
var names = new List<string>();
var options = new BenchmarkOptions();
for (var i = 0; i < args.Length; i++)
{
    if (!args[i].StartsWith("--", StringComparison.Ordinal))
    {
        names.Add(args[i]);
        continue;
    }

    if (i + 1 == args.Length || !long.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        return Usage();
    switch (args[i++])
    {
        case "--runs":
            options = options with { Runs = (int)number };
            break;
        case "--pages":
            options = options with { Pages = (int)number };
            break;
        case "--bytes":
            options = options with { TransferBytes = number };
            break;
        case "--seconds":
            options = options with { Seconds = (int)number };
            break;
        case "--depth":
            options = options with { Depth = (int)number };
            break;
        default:
            return Usage();
    }
}

if (names.Any(name => !benchmarks.ContainsKey(name)))
    return Usage();
var report = new Report();
foreach (var (name, run) in benchmarks)
{
    if (names.Count == 0 || names.Contains(name))
        await run(options, report);
}

report.Print(Console.Out);
return 0;

int Usage()
{
    Console.Error.WriteLine($"usage: Benchmarks [{string.Join('|', benchmarks.Keys)}]... [--runs N] [--pages N] [--bytes N] [--seconds N] [--depth N]");
    return 64;
}
