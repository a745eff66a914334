using System.Diagnostics;
using System.Globalization;

namespace VmoCluster.Harness;

/// <summary>Redis Cluster: three primaries with a third of the slots each, and on request replicas of each.</summary>
public sealed class RedisCluster : IRedisStore
{
    private const int SlotCount = 16_384;
    private const int PrimaryCount = 3;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan AskEvery = TimeSpan.FromSeconds(6);

    private readonly List<RedisServer> _nodes = [];

    private RedisCluster()
    {
    }

    /// <summary>First those that were primaries at the start, then their replicas: that of node i is node i + 3, then i + 6.</summary>
    public IReadOnlyList<RedisServer> Nodes => _nodes;

    /// <summary>A StackExchange.Redis configuration that names all nodes.</summary>
    public string Configuration => string.Join(',', Nodes.Select(node => node.Configuration));

    /// <inheritdoc/>
    public bool IsReplaced => _nodes.Count > PrimaryCount;

    /// <summary>Starts it and waits until all of it agrees.</summary>
    /// <param name="options">redis.conf lines for each node.</param>
    /// <param name="replicas">Replicas of each primary.</param>
    /// <param name="lab">Where each node is to have a participant of its own.</param>
    public static async Task<RedisCluster> StartAsync(IReadOnlyList<string>? options = null, int replicas = 0, NetworkLab? lab = null)
    {
        var cluster = new RedisCluster();
        try
        {
            await cluster.RunAsync(options ?? [], replicas, lab);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until a replica of this primary, which has ended, has taken its slots, and the cluster is whole again. The new primary is given.</summary>
    public async Task<RedisServer> WaitForPromotionAsync(RedisServer ended)
    {
        var index = _nodes.IndexOf(ended) % PrimaryCount;
        var candidates = _nodes.Where((node, i) => i % PrimaryCount == index && node != ended && !node.HasExited).ToList();
        foreach (var candidate in candidates)
        {
            // "cluster_state:ok" alone would also be what they say before they have noticed.
            await candidate.WaitForAsync(
                "a primary in the place of the one that ended",
                reply => reply.Split('\n').Any(line => line.Contains("master", StringComparison.Ordinal) && !line.Contains("fail", StringComparison.Ordinal)
                    && candidates.Any(other => line.Contains($"{other.Configuration}@", StringComparison.Ordinal))),
                "CLUSTER",
                "NODES");
            await candidate.WaitForAsync("all slots", reply => reply.Contains("cluster_state:ok", StringComparison.Ordinal), "CLUSTER", "INFO");
        }

        foreach (var candidate in candidates)
        {
            if (await candidate.IsPrimaryAsync())
                return candidate;
        }

        throw new InvalidOperationException("The replica that was promoted is a replica again.");
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<RedisServer>> PrimariesAsync()
    {
        var primaries = new List<RedisServer>();
        foreach (var node in _nodes.Where(node => !node.HasExited))
        {
            if (await node.IsPrimaryAsync())
                primaries.Add(node);
        }

        return primaries;
    }

    /// <inheritdoc/>
    public async Task<RedisServer> FailOverAsync(int seed = 0)
    {
        await WaitUntilWholeAsync();
        var replicas = _nodes.Except(await PrimariesAsync()).ToList();
        var chosen = replicas[(int)((uint)seed % (uint)replicas.Count)];
        var (began, asked, said) = (Stopwatch.GetTimestamp(), TimeSpan.FromDays(-1), "");
        while (!await chosen.IsPrimaryAsync())
        {
            var now = Stopwatch.GetElapsedTime(began);
            if (now > Patience)
                throw new TimeoutException($"No fail-over to the node on port {chosen.Port} within {Patience.TotalSeconds} s: {said}");
            // Given up when the others do not vote in time, as they do not for a while about one they have just voted on.
            if (now - asked > AskEvery)
                (asked, said) = (now, await chosen.CommandAsync("CLUSTER", "FAILOVER"));
            await Task.Delay(50);
        }

        return chosen;
    }

    /// <inheritdoc/>
    public async Task WaitUntilWholeAsync()
    {
        var (began, missing) = (Stopwatch.GetTimestamp(), "");
        do
        {
            if ((missing = await MissingAsync()).Length == 0)
                return;
            await Task.Delay(100);
        }
        while (Stopwatch.GetElapsedTime(began) < Patience);
        throw new TimeoutException($"The cluster is not whole after {Patience.TotalSeconds} s: {missing}");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Nodes)
            await node.DisposeAsync();
    }

    private async Task<string> MissingAsync()
    {
        if (_nodes.Find(node => node.HasExited) is { } ended)
            return $"the node on port {ended.Port} does not run";
        var primaries = await PrimariesAsync();
        if (primaries.Count != PrimaryCount)
            return $"{primaries.Count} nodes take themselves for primaries";
        foreach (var node in _nodes)
        {
            if (!(await node.CommandAsync("CLUSTER", "INFO")).Contains("cluster_state:ok", StringComparison.Ordinal))
                return $"the node on port {node.Port} does not find it well";
        }

        foreach (var primary in primaries)
        {
            var online = (await primary.CommandAsync("INFO", "replication")).Split("state=online").Length - 1;
            if (online != (_nodes.Count / PrimaryCount) - 1)
                return $"the primary on port {primary.Port} has {online} replicas";
        }

        return "";
    }

    private async Task RunAsync(IReadOnlyList<string> options, int replicas, NetworkLab? lab)
    {
        var count = PrimaryCount * (1 + replicas);
        for (var i = 0; i < count; i++)
            _nodes.Add(await RedisServer.StartAsync(["cluster-enabled yes", "cluster-node-timeout 5000", .. options], place: new(lab?.Add($"redis-{i}"))));
        for (var i = 0; i < PrimaryCount; i++)
        {
            await _nodes[i].CommandAsync("CLUSTER", "SET-CONFIG-EPOCH", Text(i + 1));
            await _nodes[i].CommandAsync(
                "CLUSTER", "ADDSLOTSRANGE", Text(i * SlotCount / PrimaryCount), Text(((i + 1) * SlotCount / PrimaryCount) - 1));
        }

        foreach (var other in _nodes.Skip(1))
            await _nodes[0].CommandAsync("CLUSTER", "MEET", other.Address.ToString(), Text(other.Port), Text(other.BusPort));
        foreach (var node in _nodes)
        {
            await node.WaitForAsync(
                $"a cluster of {count} with all slots",
                reply => reply.Contains("cluster_state:ok", StringComparison.Ordinal) && reply.Contains($"cluster_known_nodes:{count}\r", StringComparison.Ordinal)
                    && reply.Contains("cluster_slots_ok:16384", StringComparison.Ordinal),
                "CLUSTER",
                "INFO");
        }

        for (var i = PrimaryCount; i < count; i++)
        {
            // $LENGTH and the id.
            var primary = (await _nodes[i % PrimaryCount].CommandAsync("CLUSTER", "MYID")).Split("\r\n")[1];
            await _nodes[i].WaitForAsync("its primary known", reply => reply.StartsWith("+OK", StringComparison.Ordinal), "CLUSTER", "REPLICATE", primary);
            await _nodes[i].WaitForAsync("its primary's data", reply => reply.Contains("master_link_status:up", StringComparison.Ordinal), "INFO", "replication");
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
