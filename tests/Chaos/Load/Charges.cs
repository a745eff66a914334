using System.Globalization;
using System.Text;
using VmoCluster.Client;
using VmoCluster.Core.Contents;
using VmoCluster.Harness;

namespace VmoCluster.Chaos.Load;

/// <summary>P7, from outside: the bytes charged to all VMOs add up to the bytes that Redis stores for their layers. The scrub holds each layer's sums against its pages.</summary>
internal static class Charges
{
    private static readonly TimeSpan LookedAtLeast = TimeSpan.FromSeconds(20);

    /// <summary>Looks until it is so, as what the last calls left is freed in the background. What is wrong, if it is not so in time.</summary>
    public static async Task<IReadOnlyList<string>> CheckAsync(
        IRedisStore redis, VmoClient client, IEnumerable<PlayedFamily> families, DateTimeOffset until, Action<string> log, TimeSpan? atLeast = null)
    {
        // Who came late through the scrub, looks for a while all the same.
        if (DateTimeOffset.UtcNow + (atLeast ?? LookedAtLeast) is var soonest && soonest > until)
            until = soonest;
        while (true)
        {
            var (charged, stored) = (await ChargedAsync(client, families), 0ul);
            // A VMO's keys lie together.
            foreach (var primary in await redis.PrimariesAsync())
                stored += await StoredAsync(primary);
            if (charged == stored)
            {
                log(string.Create(CultureInfo.InvariantCulture, $"{stored:N0} bytes are stored, and charged"));
                return [];
            }

            if (DateTimeOffset.UtcNow > until)
                return [$"{charged} bytes are charged to all VMOs, and {stored} are stored"];
            await Task.Delay(TimeSpan.FromSeconds(1));
        }
    }

    private static async Task<ulong> ChargedAsync(VmoClient client, IEnumerable<PlayedFamily> families)
    {
        var sum = 0ul;
        foreach (var family in families)
        {
            await foreach (var node in client.Open(family.Root.Handle).TreeAsync())
                sum += node.ChargedBytes;
        }

        return sum;
    }

    // A layer whose blobs are all gone is the top of a VMO that is dying: its head goes with the rest of it. One that has gone since it was listed has no field.
    private static async Task<ulong> StoredAsync(RedisServer redis)
    {
        var sum = 0ul;
        var withBlobs = (await redis.KeysAsync("vmo:{*}:b:*")).Select(LayerOf).ToHashSet(StringComparer.Ordinal);
        foreach (var layer in await redis.KeysAsync("vmo:{*}:l:*"))
        {
            if (!withBlobs.Contains(LayerOf(layer)))
                continue;
            var reply = await redis.CommandAsync("HGET", layer, "count");
            if (!reply.StartsWith("$-1", StringComparison.Ordinal))
                sum += LayerCounts.Decode(Encoding.Latin1.GetBytes(reply[(reply.IndexOf('\n', StringComparison.Ordinal) + 1)..^2])).Stored * Limits.PageBytes;
        }

        return sum;
    }

    // vmo:{K}:l:N, vmo:{K}:b:N:NAME
    private static string LayerOf(string key) => key.Split(':') is [_, var home, _, var number, ..] ? $"{home} {number}" : key;
}
