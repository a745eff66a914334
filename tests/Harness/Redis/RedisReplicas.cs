using System.Diagnostics;
using System.Globalization;

namespace VmoCluster.Harness;

/// <summary>One primary, replicas of it, and on request three Sentinels that make a replica the primary when the primary is silent.</summary>
public sealed class RedisReplicas : IRedisStore
{
    /// <summary>The name under which Sentinels know the primary.</summary>
    public const string PrimaryName = "vmo";

    private const int SentinelCount = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    private readonly List<RedisServer> _nodes = [];
    private readonly List<RedisServer> _sentinels = [];

    private RedisReplicas()
    {
    }

    /// <summary>All of them; the first was the primary at the start.</summary>
    public IReadOnlyList<RedisServer> Nodes => _nodes;

    public IReadOnlyList<RedisServer> Sentinels => _sentinels;

    /// <summary>A StackExchange.Redis configuration: by way of the Sentinels if there are any, else all nodes.</summary>
    public string Configuration => _sentinels.Count == 0 ? Named(_nodes) : $"{Named(_sentinels)},serviceName={PrimaryName}";

    /// <summary>Starts them and waits until each replica has its primary's data and each Sentinel knows all others.</summary>
    /// <param name="replicas">How many there are besides the primary.</param>
    /// <param name="hasSentinels">Whether a silent primary is replaced. Sentinels take it for dead after 1 s.</param>
    /// <param name="options">redis.conf lines for each of the nodes.</param>
    /// <param name="lab">Where each is to have a participant of its own.</param>
    public static async Task<RedisReplicas> StartAsync(int replicas, bool hasSentinels = false, IReadOnlyList<string>? options = null, NetworkLab? lab = null)
    {
        var all = new RedisReplicas();
        try
        {
            await all.RunAsync(replicas, hasSentinels, options ?? [], lab);
            return all;
        }
        catch
        {
            await all.DisposeAsync();
            throw;
        }
    }

    /// <summary>Who is the primary: by the Sentinels' word if there are any, else the first that runs and takes itself for one.</summary>
    public async Task<RedisServer> PrimaryAsync()
    {
        if (_sentinels.FirstOrDefault(sentinel => !sentinel.HasExited) is { } asked)
        {
            var reply = await asked.CommandAsync("SENTINEL", "GET-MASTER-ADDR-BY-NAME", PrimaryName);
            return _nodes.Single(node => IsOf(node, reply));
        }

        foreach (var node in _nodes.Where(node => !node.HasExited))
        {
            if (await node.IsPrimaryAsync())
                return node;
        }

        throw new InvalidOperationException("No node takes itself for the primary.");
    }

    /// <inheritdoc/>
    public bool IsReplaced => _sentinels.Count > 0;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<RedisServer>> PrimariesAsync() => [await PrimaryAsync()];

    /// <inheritdoc/>
    public async Task WaitUntilWholeAsync()
    {
        // Sentinels may be about to replace it still, and take their time to tell the old one whom to follow.
        for (var began = Stopwatch.GetTimestamp(); ; await Task.Delay(100))
        {
            var reply = await (await PrimaryAsync()).CommandAsync("INFO", "replication");
            if (reply.Contains("role:master", StringComparison.Ordinal) && reply.Split("state=online").Length == _nodes.Count)
                return;
            if (Stopwatch.GetElapsedTime(began) > 2 * Patience)
                throw new TimeoutException($"After {2 * Patience.TotalSeconds} s not all {_nodes.Count - 1} replicas are there: {reply}");
        }
    }

    /// <summary>Kills the primary. It is given, to be started again.</summary>
    public async Task<RedisServer> KillPrimaryAsync()
    {
        var primary = await PrimaryAsync();
        await primary.KillAsync();
        return primary;
    }

    /// <summary>Waits until the Sentinels have agreed on another primary than this one, and it takes writes.</summary>
    public async Task<RedisServer> WaitForNewPrimaryAsync(RedisServer old)
    {
        var began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < Patience)
        {
            var primary = await PrimaryAsync();
            if (primary != old && await primary.IsPrimaryAsync())
                return primary;
            await Task.Delay(50);
        }

        throw new TimeoutException($"After {Patience.TotalSeconds} s the Sentinels have no other primary than the one on port {old.Port}.");
    }

    /// <summary>Asks the Sentinels to replace a primary that is well, and waits for it. A Sentinel that has just done so refuses for a while: it is asked again.</summary>
    public async Task<RedisServer> FailOverAsync(int seed = 0)
    {
        var (old, began, said) = (await PrimaryAsync(), Stopwatch.GetTimestamp(), "");
        do
        {
            said = await _sentinels[0].CommandAsync("SENTINEL", "FAILOVER", PrimaryName);
            if (said.StartsWith("+OK", StringComparison.Ordinal))
                return await WaitForNewPrimaryAsync(old);
            await Task.Delay(200);
        }
        while (Stopwatch.GetElapsedTime(began) < Patience);
        throw new TimeoutException($"No fail-over within {Patience.TotalSeconds} s: {said}");
    }

    /// <summary>Makes a replica the primary of all that run, as an operator without Sentinels does. An old primary that runs follows it.</summary>
    public async Task PromoteAsync(RedisServer replica)
    {
        await replica.LeadAsync();
        foreach (var node in _nodes.Where(node => node != replica && !node.HasExited))
            await node.FollowAsync(replica);
    }

    /// <summary>Waits until the primary has so many replicas that have all its data.</summary>
    public async Task WaitForReplicasAsync(int count)
    {
        var primary = await PrimaryAsync();
        await primary.WaitForAsync(
            $"{count} replicas online", reply => reply.Split("state=online").Length - 1 == count && !reply.Contains("role:slave", StringComparison.Ordinal), "INFO", "replication");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var one in _sentinels.Concat(_nodes))
            await one.DisposeAsync();
    }

    private async Task RunAsync(int replicas, bool hasSentinels, IReadOnlyList<string> options, NetworkLab? lab)
    {
        _nodes.Add(await RedisServer.StartAsync(options, place: new(lab?.Add("redis-0"))));
        for (var i = 1; i <= replicas; i++)
        {
            string[] follows = [$"replicaof {_nodes[0].Address} {Text(_nodes[0].Port)}", "repl-diskless-load swapdb"];
            _nodes.Add(await RedisServer.StartAsync([.. options, .. follows], place: new(lab?.Add($"redis-{i}"))));
        }

        await WaitForReplicasAsync(replicas);
        if (!hasSentinels)
            return;
        string[] watching =
        [
            $"sentinel monitor {PrimaryName} {_nodes[0].Address} {Text(_nodes[0].Port)} {Text((SentinelCount / 2) + 1)}",
            $"sentinel down-after-milliseconds {PrimaryName} 1000", $"sentinel failover-timeout {PrimaryName} 3000", $"sentinel parallel-syncs {PrimaryName} 1",
        ];
        for (var i = 0; i < SentinelCount; i++)
            _sentinels.Add(await RedisServer.StartSentinelAsync(watching, new(lab?.Add($"sentinel-{i}"))));
        foreach (var sentinel in _sentinels)
        {
            await sentinel.WaitForAsync(
                $"{SentinelCount} Sentinels and {replicas} replicas known",
                reply => reply.Contains($"status=ok,address={_nodes[0].Configuration},slaves={replicas},sentinels={SentinelCount}", StringComparison.Ordinal),
                "INFO",
                "sentinel");
        }
    }

    // *2, $LENGTH, the address, $LENGTH, the port.
    private static bool IsOf(RedisServer node, string reply) =>
        reply.Split("\r\n") is { Length: >= 5 } lines && lines[2] == node.Address.ToString() && lines[4] == Text(node.Port);

    private static string Named(IEnumerable<RedisServer> nodes) => string.Join(',', nodes.Select(node => node.Configuration));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
