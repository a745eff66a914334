using System.Globalization;

namespace VmoCluster.Harness;

/// <summary>Three redis-server processes as one Redis Cluster, all primaries, a third of the slots each.</summary>
public sealed class RedisCluster : IAsyncDisposable
{
    private const int SlotCount = 16_384;

    private RedisCluster(IReadOnlyList<RedisServer> nodes) => Nodes = nodes;

    public IReadOnlyList<RedisServer> Nodes { get; }

    /// <summary>A StackExchange.Redis configuration that names all nodes.</summary>
    public string Configuration => string.Join(',', Nodes.Select(node => node.Configuration));

    public static async Task<RedisCluster> StartAsync(IReadOnlyList<string>? options = null)
    {
        var nodes = new List<RedisServer>();
        for (var i = 0; i < 3; i++)
            nodes.Add(await RedisServer.StartAsync(["cluster-enabled yes", "cluster-node-timeout 5000", .. options ?? []]));
        for (var i = 0; i < nodes.Count; i++)
        {
            await nodes[i].CommandAsync("CLUSTER", "SET-CONFIG-EPOCH", Text(i + 1));
            await nodes[i].CommandAsync(
                "CLUSTER", "ADDSLOTSRANGE", Text(i * SlotCount / nodes.Count), Text(((i + 1) * SlotCount / nodes.Count) - 1));
        }

        foreach (var other in nodes.Skip(1))
            await nodes[0].CommandAsync("CLUSTER", "MEET", "127.0.0.1", Text(other.Port), Text(other.BusPort));
        foreach (var node in nodes)
        {
            await node.WaitForAsync(
                "a cluster of three with all slots",
                reply => reply.Contains("cluster_state:ok", StringComparison.Ordinal) && reply.Contains("cluster_known_nodes:3", StringComparison.Ordinal)
                    && reply.Contains("cluster_slots_ok:16384", StringComparison.Ordinal),
                "CLUSTER",
                "INFO");
        }

        return new(nodes);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Nodes)
            await node.DisposeAsync();
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
