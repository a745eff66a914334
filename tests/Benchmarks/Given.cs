using System.Diagnostics;
using System.Globalization;
using StackExchange.Redis;

namespace VmoCluster.Benchmarks;

/// <summary>
/// Takes VMOs out of a silo's memory by the letter that another silo would send it: give it up. The silo goes on with warm code, which a fresh one
/// would not have.
/// </summary>
internal static class Given
{
    private const string Sessions = "vmo:{sessions}";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Done when the silos of all sessions have given up these VMOs.</summary>
    public static async Task UpAsync(IDatabase redis, params ulong[] koids)
    {
        foreach (var entry in await redis.HashGetAllAsync(Sessions))
        {
            if (!entry.Name.ToString().StartsWith("s:", StringComparison.Ordinal) || !entry.Value.ToString().EndsWith("alive", StringComparison.Ordinal))
                continue;
            var (session, number) = (entry.Name.ToString()[2..], 0L);
            foreach (var koid in koids)
            {
                number = await redis.HashIncrementAsync(Sessions, $"n:{session}");
                await redis.HashSetAsync(Sessions, $"m:{session}:{number}", string.Create(CultureInfo.InvariantCulture, $"1 {koid} "));
            }

            for (var began = Stopwatch.GetTimestamp(); await AckedAsync(redis, entry.Name) < number;)
            {
                if (Stopwatch.GetElapsedTime(began) > Patience)
                    throw new TimeoutException($"session {session} does not give VMOs up");
                await Task.Delay(20);
            }
        }
    }

    // "counter acknowledged state"
    private static async Task<long> AckedAsync(IDatabase redis, RedisValue session) =>
        long.Parse((await redis.HashGetAsync(Sessions, session)).ToString().Split(' ')[1], CultureInfo.InvariantCulture);
}
