using System.Diagnostics;

namespace VmoCluster.Benchmarks;

/// <summary>Callers in a loop.</summary>
internal static class Load
{
    /// <summary>Calls a second of so many callers, each waiting for its answer before it asks again; after half a second of warming up.</summary>
    public static async Task<double> RateAsync(int callers, int seconds, Func<int, Random, Task> call)
    {
        var count = 0L;
        var counting = false;
        var stop = false;
        var tasks = Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
        {
            var random = new Random(caller);
            while (!Volatile.Read(ref stop))
            {
                await call(caller, random);
                if (Volatile.Read(ref counting))
                    Interlocked.Increment(ref count);
            }
        })).ToArray();
        await Task.Delay(500);
        var started = Stopwatch.GetTimestamp();
        Volatile.Write(ref counting, true);
        await Task.WhenAny(Task.Delay(seconds * 1000), Task.WhenAny(tasks));
        Volatile.Write(ref counting, false);
        var elapsed = Stopwatch.GetElapsedTime(started).TotalSeconds;
        Volatile.Write(ref stop, true);
        await Task.WhenAll(tasks);
        return count / elapsed;
    }

    /// <summary>Numbers handed out to so many workers until none is left.</summary>
    public static Task ForAsync(int workers, long count, Func<long, Task> work)
    {
        var next = -1L;
        return Task.WhenAll(Enumerable.Range(0, workers).Select(_ => Task.Run(async () =>
        {
            for (var i = Interlocked.Increment(ref next); i < count; i = Interlocked.Increment(ref next))
                await work(i);
        })));
    }

    /// <summary>How long something takes.</summary>
    public static async Task<double> MillisecondsAsync(Func<Task> work)
    {
        var started = Stopwatch.GetTimestamp();
        await work();
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    public static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }
}
