using System.Globalization;
using StackExchange.Redis;

namespace VmoCluster.PageStore;

/// <summary>What the primaries say of themselves.</summary>
/// <param name="Primaries">How many answered and are primaries still.</param>
/// <param name="FullestRatio">Memory in use over maxmemory, of the fullest; 0 where there is no maxmemory.</param>
/// <param name="ReplicasLeast">Connected replicas of the one that has the fewest.</param>
/// <param name="EvictingPolicy">A maxmemory policy that throws keys away; null if there is none.</param>
/// <param name="Histories">The replication ids of the primaries: of each its own, and another one after each failover and restart.</param>
internal sealed record StoreHealth(int Primaries, double FullestRatio, int ReplicasLeast, string? EvictingPolicy, IReadOnlySet<string> Histories)
{
    public static async Task<StoreHealth> AskAsync(StoreConnection control)
    {
        var nodes = control.Primaries.ToArray();
        var answers = await Task.WhenAll(nodes.Select(AskAsync));
        return new(
            answers.Sum(a => a.Primaries),
            answers.Max(a => (double?)a.FullestRatio) ?? 0,
            answers.Min(a => (int?)a.ReplicasLeast) ?? 0,
            answers.Select(a => a.EvictingPolicy).FirstOrDefault(p => p is not null),
            answers.SelectMany(a => a.Histories).ToHashSet(StringComparer.Ordinal));
    }

    /// <summary>Whether all nodes of a Redis Cluster that serve slots, as each connected primary says, are among these.</summary>
    public static async Task<bool> IsWholeAsync(StoreConnection control)
    {
        var asked = control.Primaries.ToArray();
        var told = await Task.WhenAll(asked.Select(node => node.ClusterNodesAsync()));
        var reached = asked.Select(node => node.EndPoint).ToHashSet();
        return told.All(nodes => nodes is not null && nodes.Nodes.Where(node => !node.IsReplica && node.Slots.Count > 0) is var owners && owners.Any() && owners.All(node => node.EndPoint is { } at && reached.Contains(at)));
    }

    /// <summary>One section of INFO, by name.</summary>
    public static async Task<Dictionary<string, string>> SectionAsync(IServer node, string section)
    {
        var text = (string?)await node.ExecuteAsync("INFO", section) ?? "";
        var lines = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in text.Split('\n'))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0)
                lines[line[..colon]] = line[(colon + 1)..].TrimEnd('\r');
        }

        return lines;
    }

    private static async Task<StoreHealth> AskAsync(IServer node)
    {
        var asked = (Memory: SectionAsync(node, "memory"), Replication: SectionAsync(node, "replication"));
        var (memory, replication) = (await asked.Memory, await asked.Replication);
        var (max, used) = (Number(memory, "maxmemory"), Number(memory, "used_memory"));
        // Redis does not count the buffers of replicas and of the append-only file against maxmemory.
        var ratio = max == 0 ? 0 : (double)(used - Number(memory, "mem_not_counted_for_evict")) / max;
        var policy = memory.GetValueOrDefault("maxmemory_policy", "noeviction");
        var isPrimary = replication.GetValueOrDefault("role", "master") == "master";
        return new(
            isPrimary ? 1 : 0, ratio, (int)Number(replication, "connected_slaves"), max == 0 || policy == "noeviction" ? null : policy, isPrimary ? new HashSet<string>(StringComparer.Ordinal) { replication.GetValueOrDefault("master_replid", "") } : []);
    }

    private static long Number(Dictionary<string, string> lines, string name) =>
        long.TryParse(lines.GetValueOrDefault(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out var number) ? number : 0;
}
