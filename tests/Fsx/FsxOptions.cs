using System.Globalization;

namespace VmoCluster.Fsx;

/// <summary>What the command line asks for.</summary>
internal sealed record FsxOptions
{
    public const string Help = """
        vmo-fsx: does random operations on families of VMOs, and compares every answer with a stupid model.

          dotnet run -c Release --project tests/Fsx -- [--target core|node|URL] [--seed N] [--count N] [...]

          --target T     core: the algorithms, on simulated silos with crashes by seed (the default)
                         node: a node of its own, in a process over a redis-server of its own
                         URL:  any endpoint, as http://127.0.0.1:7400
          --seed N       which operations; printed at the start, by chance unless given
          --count N      how many operations, 100000 unless given
          --minutes N    how long at the most, instead of a count
          --clients N    families at once, each against its own model; 1 unless given, on the core one a thread
          --length N     operations of one family until it is closed and its end is checked; 250 unless given
          --lost N       core: in how many of a hundred commits and messages the answer is lost; by chance 0 or 15 unless given
          --script FILE  plays a script instead (- for stdin)

        A failure is made as short as it can be and printed as a script. Exit code 0: no difference; 1: a difference; 64: the command line is wrong.
        """;

    public string Target { get; init; } = "core";
    public int Seed { get; init; } = Environment.TickCount & 0xFFFFFF;
    public long Count { get; init; } = 100_000;
    public TimeSpan Time { get; init; } = TimeSpan.MaxValue;
    public int Clients { get; init; } = 1;
    public int Length { get; init; } = 250;
    public int? LostPercent { get; init; }
    public string? Script { get; init; }

    /// <summary>Reads the command line. Throws <see cref="FormatException"/>, which says what is wrong.</summary>
    public static FsxOptions Parse(IReadOnlyList<string> args)
    {
        var options = new FsxOptions();
        for (var i = 0; i < args.Count; i++)
        {
            var name = args[i];
            var value = i + 1 < args.Count ? args[++i] : throw new FormatException($"{name} needs a value");
            options = name switch
            {
                "--target" => options with { Target = value },
                "--seed" => options with { Seed = (int)Number(name, value, 0) },
                "--count" => options with { Count = Number(name, value, 1) },
                "--minutes" => options with { Time = TimeSpan.FromMinutes(Number(name, value, 1)), Count = long.MaxValue },
                "--clients" => options with { Clients = (int)Number(name, value, 1) },
                "--length" => options with { Length = (int)Number(name, value, 1) },
                "--lost" => options with { LostPercent = (int)Number(name, value, 0) },
                "--script" => options with { Script = value },
                _ => throw new FormatException($"there is no option {name}"),
            };
        }

        return options;
    }

    private static long Number(string name, string value, long least) =>
        long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= int.MaxValue
            ? number
            : throw new FormatException($"{name} is a whole number from {least}, not '{value}'");
}
