using System.Diagnostics;

namespace VmoCluster.Chaos.Overload;

/// <summary>Callers in a closed loop, and calls in an open one.</summary>
internal sealed class Loops(ICalls calls, OverloadOptions options, int pages)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);

    /// <summary>So many callers, each of whom makes one call, or one message of calls, and again when he has his answer, or when he was told to come back.</summary>
    public async Task<Tally> CloseAsync(int callers, TimeSpan length)
    {
        var (tally, began) = (new Tally(options.Deadline), Stopwatch.GetTimestamp());
        await Task.WhenAll(Enumerable.Range(0, callers).Select(async caller =>
        {
            var chance = new Random(caller);
            while (Stopwatch.GetElapsedTime(began) < length)
            {
                if (await OneAsync(chance, tally) is > 0 and var hint)
                    await Task.Delay(hint);
            }
        }));
        return tally;
    }

    /// <summary>So many calls a second, whatever becomes of them. Comes back when the last has ended.</summary>
    public async Task<Tally> OpenAsync(int perSecond, TimeSpan length)
    {
        var (tally, chance) = (new Tally(options.Deadline), new Random(1));
        var (began, made) = (Stopwatch.GetTimestamp(), 0L);
        using var timer = new PeriodicTimer(Tick);
        while (Stopwatch.GetElapsedTime(began) is var elapsed && elapsed < length)
        {
            for (var due = (long)(elapsed.TotalSeconds * perSecond); made < due; made += calls.AtOnce)
                _ = OneAsync(chance, tally);
            await timer.WaitForNextTickAsync();
        }

        while (tally.All < made)
            await timer.WaitForNextTickAsync();
        return tally;
    }

    private Task<int> OneAsync(Random chance, Tally tally) =>
        calls.CallAsync(chance.Next(options.Vmos), chance.Next(pages), chance.Next(100) < options.WritePercent, tally);
}
