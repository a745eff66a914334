using VmoCluster.Chaos;
using VmoCluster.Chaos.Failover;
using VmoCluster.Chaos.Load;
using VmoCluster.Chaos.Overload;
using VmoCluster.Chaos.Redis;
using VmoCluster.Harness;

// 64 is a usage error, as everywhere here.
const int UsageError = 64;
var report = new Report();
try
{
    var (what, numbers, words) = CommandLine.Read(args);
    switch (what)
    {
        case "failover":
            var failover = new FailoverOptions { Runs = numbers.GetValueOrDefault("--runs", 5), Vmos = numbers.GetValueOrDefault("--vmos", 1000), WriteRest = TimeSpan.FromMilliseconds(numbers.GetValueOrDefault("--rest", 200)) };
            await FailoverRun.RunAsync(words.TryGetValue("--ways", out var ways) ? failover with { Ways = CommandLine.ListOf<Going>(ways) } : failover, report);
            break;
        case "failovers":
            var failovers = new RedisFailoverOptions { Runs = numbers.GetValueOrDefault("--runs", 100), Durability = words.GetValueOrDefault("--durability", "primary") };
            failovers = words.TryGetValue("--ends", out var ends) ? failovers with { Ends = CommandLine.ListOf<PrimaryEnd>(ends) } : failovers;
            var lost = await RedisFailoverRun.RunAsync(failovers, Console.Error.WriteLine);
            lost.Add(report, failovers);
            report.Print(Console.Out);
            return lost.Hidden == 0 ? 0 : 1;
        case "run":
            var seconds = numbers.GetValueOrDefault("--seconds", 60) + (60 * numbers.GetValueOrDefault("--minutes", 0)) + (3600 * numbers.GetValueOrDefault("--hours", 0));
            var options = new ChaosOptions
            {
                Length = TimeSpan.FromSeconds(seconds), Callers = numbers.GetValueOrDefault("--callers", 12), Families = numbers.GetValueOrDefault("--families", 24),
                MeanInterval = TimeSpan.FromSeconds(numbers.GetValueOrDefault("--every", 8)),
                Kinds = words.TryGetValue("--kinds", out var kinds) ? CommandLine.KindsOf(kinds) : null,
                Redis = words.TryGetValue("--redis", out var redis) ? CommandLine.OneOf<RedisKind>(redis) : RedisKind.Single,
            };
            options = options with { MayLose = options.Kinds?.Contains(FaultKind.Truncate) == true };
            var verdict = await ChaosRun.RunAsync(numbers.TryGetValue("--seed", out var seed) ? options with { Seed = seed } : options, Console.Out.WriteLine);
            Console.Out.WriteLine(verdict);
            return verdict.IsFine ? 0 : 1;
        case "way":
            await SlowWay.RunAsync(numbers["--port"], numbers["--delay"]);
            return 0;
        case "overload":
            await OverloadRun.RunAsync(
                new() { Length = TimeSpan.FromSeconds(numbers.GetValueOrDefault("--seconds", 30)), OfferedPerSecond = numbers.GetValueOrDefault("--offered", 20_000), Vmos = numbers.GetValueOrDefault("--vmos", 100) },
                report);
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
