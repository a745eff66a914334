using System.Globalization;
using VmoCluster.Harness;

namespace VmoCluster.Chaos;

/// <summary>What the command line asks for: a word, and numbers and words by name.</summary>
internal static class CommandLine
{
    public const string Help = """
        chaos: a cluster of three silos and a Redis of its own, and what happens to it.

          dotnet run -c Release --project tests/Chaos -- failover [--runs N] [--vmos N] [--ways killed,frozen,left] [--rest MS]
              how long all VMOs are gone when a silo is killed, frozen, stopped; a rolling restart. A tenth is being written, each with a rest of 200 ms between two writes.
          dotnet run -c Release --project tests/Chaos -- failovers [--runs N] [--durability primary|replicas:N] [--ends A,B...]
              acknowledged writes lost while Redis' primary is lost N times (100) under Sentinels and two replicas. Exit code 1: a silo's memory has hidden a loss.
          dotnet run -c Release --project tests/Chaos -- run [--seed N] [--hours N] [--minutes N] [--seconds N] [--every SECONDS] [--callers N] [--families N] [--kinds A,B...]
              [--redis single|sentinels|cluster]
              callers under a schedule of faults; what they saw is checked afterwards. A minute, and a fault drawn every 8 s, unless told. Exit code 1: something is wrong.
              Kinds: Kill, Pause, Partition, OneWayPartition, Delay, Loss, HalfOpen, CutMidFrame, RedisKill, RedisPause, FailOver, RollingRestart, Isolate, ClientCut (all that are possible), and Truncate: Redis is killed and its log cut by up to
              10 s, so that the order of calls is not judged, but that nothing is torn or damaged. Under Sentinels, and in a Redis Cluster, all replicas acknowledge each write.
          dotnet run -c Release --project tests/Chaos -- overload [--seconds N] [--offered N] [--vmos N]
              ten times as many calls as limits let through: what is answered in time, against the peak; memory; what is afterwards
        """;

    private static readonly string[] Names = ["--runs", "--vmos", "--seed", "--hours", "--minutes", "--seconds", "--every", "--callers", "--families", "--offered", "--port", "--delay", "--rest"];

    private static readonly string[] WordNames = ["--kinds", "--durability", "--ends", "--ways", "--redis"];

    /// <summary>Throws <see cref="FormatException"/>, which says what is wrong.</summary>
    public static (string What, Dictionary<string, int> Numbers, Dictionary<string, string> Words) Read(string[] args)
    {
        var (numbers, words) = (new Dictionary<string, int>(StringComparer.Ordinal), new Dictionary<string, string>(StringComparer.Ordinal));
        if (args.Length == 0 || args.Contains("--help"))
            return ("--help", numbers, words);
        for (var i = 1; i < args.Length; i += 2)
        {
            if (WordNames.Contains(args[i]))
            {
                words[args[i]] = i + 1 < args.Length ? args[i + 1] : throw new FormatException($"{args[i]} needs a word");
                continue;
            }

            if (!Names.Contains(args[i]))
                throw new FormatException($"there is no option {args[i]}");
            if (i + 1 == args.Length || !int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number < 1)
                throw new FormatException($"{args[i]} needs a whole number from 1");
            numbers[args[i]] = number;
        }

        return (args[0], numbers, words);
    }

    /// <summary>The kinds of faults in a list with commas.</summary>
    public static IReadOnlyList<FaultKind> KindsOf(string list) => ListOf<FaultKind>(list);

    /// <summary>A word of an enumeration.</summary>
    public static T OneOf<T>(string word)
        where T : struct, Enum => ListOf<T>(word) is [var one] ? one : throw new FormatException($"one of {string.Join(", ", Enum.GetNames<T>())} is wanted, not {word}");

    /// <summary>Words of an enumeration in a list with commas.</summary>
    public static IReadOnlyList<T> ListOf<T>(string list)
        where T : struct, Enum =>
        [.. list.Split(',').Select(word => Enum.TryParse<T>(word, ignoreCase: true, out var kind) && !char.IsDigit(word[0])
            ? kind : throw new FormatException($"there is no {word}; there are {string.Join(", ", Enum.GetNames<T>())}"))];
}
