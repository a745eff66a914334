using VmoCluster.Chaos;
using VmoCluster.Chaos.Failover;
using VmoCluster.Harness;

// 64 is a usage error, as everywhere here.
const int UsageError = 64;
var report = new Report();
try
{
    var (what, numbers) = CommandLine.Read(args);
    switch (what)
    {
        case "failover":
            await FailoverRun.RunAsync(new() { Runs = numbers.GetValueOrDefault("--runs", 5), Vmos = numbers.GetValueOrDefault("--vmos", 1000) }, report);
            break;
        default:
            Console.Out.WriteLine(CommandLine.Help);
            return what == "--help" ? 0 : UsageError;
    }
}
catch (FormatException mistake)
{
    Console.Error.WriteLine($"chaos: {mistake.Message}\n{CommandLine.Help}");
    return UsageError;
}

report.Print(Console.Out);
return 0;
