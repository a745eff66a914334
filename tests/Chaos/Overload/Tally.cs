using System.Collections.Concurrent;
using System.Diagnostics;

namespace VmoCluster.Chaos.Overload;

/// <summary>What became of calls. Safe from several threads.</summary>
internal sealed class Tally(TimeSpan deadline)
{
    private const int KeptMost = 200_000;

    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly long[] _endings = new long[Enum.GetValues<Ending>().Length];
    private readonly ConcurrentDictionary<int, long> _goodBySecond = new();
    private readonly ConcurrentBag<double> _okSeconds = [];
    private readonly ConcurrentBag<int> _hints = [];
    private readonly ConcurrentDictionary<string, long> _failures = new();
    private long _late;
    private long _longest;

    /// <summary>So many calls that began then have ended.</summary>
    public void Add(long began, Ending ending, int calls, int hintMs = 0, string? failure = null)
    {
        var now = Stopwatch.GetTimestamp();
        var took = Stopwatch.GetElapsedTime(began, now);
        Interlocked.Add(ref _endings[(int)ending], calls);
        for (var seen = Interlocked.Read(ref _longest); took.Ticks > seen; seen = Interlocked.Read(ref _longest))
            Interlocked.CompareExchange(ref _longest, took.Ticks, seen);
        if (ending == Ending.Ok && took <= deadline)
            _goodBySecond.AddOrUpdate((int)Stopwatch.GetElapsedTime(_began, now).TotalSeconds, calls, (_, count) => count + calls);
        else if (ending == Ending.Ok)
            Interlocked.Add(ref _late, calls);
        if (ending == Ending.Ok && _okSeconds.Count < KeptMost)
            _okSeconds.Add(took.TotalSeconds);
        if (hintMs > 0 && _hints.Count < KeptMost)
            _hints.Add(hintMs);
        if (failure is not null)
            _failures.AddOrUpdate(failure, 1, static (_, count) => count + 1);
    }

    public long Count(Ending ending) => Interlocked.Read(ref _endings[(int)ending]);

    /// <summary>Calls that have ended.</summary>
    public long All => _endings.Sum();

    /// <summary>Calls answered Ok within their deadline.</summary>
    public long Good => _goodBySecond.Values.Sum();

    /// <summary>Calls answered Ok after it.</summary>
    public long Late => Interlocked.Read(ref _late);

    /// <summary>The longest call.</summary>
    public TimeSpan Longest => new(Interlocked.Read(ref _longest));

    /// <summary>The least Good of any whole second of those first ones.</summary>
    public long WorstSecond(int seconds) => Enumerable.Range(0, seconds).Min(second => _goodBySecond.GetValueOrDefault(second));

    /// <summary>The Good of the second that half of those first ones reach.</summary>
    public long MedianSecond(int seconds) => Enumerable.Range(0, seconds).Select(second => _goodBySecond.GetValueOrDefault(second)).Order().ElementAt(seconds / 2);

    /// <summary>Seconds that a part of the calls answered Ok took at most; 0 where there is none.</summary>
    public double OkSeconds(double part) => At(_okSeconds, part);

    /// <summary>Milliseconds after which a part of the refused were told to come back at most.</summary>
    public int HintMs(double part) => At(_hints, part);

    /// <summary>What failed, and how often.</summary>
    public string Failures => string.Join("; ", _failures.OrderByDescending(pair => pair.Value).Take(5).Select(pair => $"{pair.Value} x {pair.Key}"));

    private static T At<T>(IReadOnlyCollection<T> values, double part)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? default! : sorted[Math.Min(sorted.Length - 1, (int)(part * sorted.Length))];
    }
}
