using System.Net;

namespace VmoCluster.Harness;

/// <summary>
/// Silos and their Redis with everything that can be done to them. Where the machine allows, each is a participant of a
/// <see cref="NetworkLab"/> of its own; elsewhere all share the loopback, and only the ways to a single Redis can be cut. Each silo reaches a
/// single Redis through a proxy; one with Sentinels, and a Redis Cluster, tell their addresses themselves, so there is none in between.
/// </summary>
public sealed class ClusterLab : IAsyncDisposable
{
    // Never rewritten: whoever looks for what went wrong finds every write in it.
    private static readonly string[] Kept = ["appendonly yes", "appendfsync everysec", "auto-aof-rewrite-percentage 0"];

    private readonly List<TcpProxy?> _ways = [];
    private readonly List<LabHost?> _hosts = [];

    private ClusterLab(NetworkLab? network) => Network = network;

    /// <summary>The network the participants are in; null where the machine has none.</summary>
    public NetworkLab? Network { get; }

    /// <summary>The silos. Only after all of it has started.</summary>
    public SiloCluster Cluster { get; private set; } = null!;

    /// <summary>The Redis under them.</summary>
    public IRedisStore Store { get; private set; } = null!;

    /// <summary>The primary, its replicas and its Sentinels; not where it is a Redis Cluster.</summary>
    public RedisReplicas Redis => Store as RedisReplicas ?? throw new InvalidOperationException("This lab has a Redis Cluster.");

    /// <summary>The kinds of faults that can be done here.</summary>
    public IReadOnlyList<FaultKind> Kinds => [.. Enum.GetValues<FaultKind>().Where(IsPossible)];

    private bool HasWays => Store is RedisReplicas { Sentinels.Count: 0 };

    /// <summary>Starts it.</summary>
    /// <param name="silos">How many silos.</param>
    /// <param name="options">What all silos are told besides.</param>
    /// <param name="replicas">Replicas of Redis, or of each primary of a Redis Cluster.</param>
    /// <param name="hasSentinels">Whether Sentinels replace a silent primary.</param>
    /// <param name="isRedisCluster">Whether it is a Redis Cluster of three primaries.</param>
    /// <param name="redisOptions">redis.conf lines; an append-only file forced out every second without any.</param>
    /// <param name="inNetwork">Whether to use a network of its own; by what the machine allows when it is not said.</param>
    public static async Task<ClusterLab> StartAsync(
        int silos, SiloOptions? options = null, int replicas = 0, bool hasSentinels = false, IReadOnlyList<string>? redisOptions = null, bool? inNetwork = null, bool isRedisCluster = false)
    {
        var lab = new ClusterLab(inNetwork ?? NetworkLab.Impossible is null ? NetworkLab.Open() : null);
        try
        {
            lab.Store = isRedisCluster
                ? await RedisCluster.StartAsync(redisOptions ?? Kept, replicas, lab.Network)
                : await RedisReplicas.StartAsync(replicas, hasSentinels, redisOptions ?? Kept, lab.Network);
            lab.Cluster = await SiloCluster.StartEachAsync(silos, index => lab.OptionsOf(index, options ?? new()));
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>The silo's way to Redis: delay, half-open, cut in mid-frame. There is none with Sentinels or a Redis Cluster.</summary>
    public TcpProxy WayToRedis(int silo) => _ways[silo] ?? throw new InvalidOperationException("With Sentinels or a Redis Cluster there is no proxy between a silo and Redis.");

    /// <summary>The way in of clients that are not in the lab. There is none without a network.</summary>
    public TcpProxy WayToClients(int silo) => Cluster.Silos[silo].Door ?? throw new InvalidOperationException("Without a network there is no proxy between a client and a silo.");

    /// <summary>The silo and Redis do not reach each other any more; open connections hang.</summary>
    public void CutFromRedis(int silo)
    {
        if (_hosts[silo] is not { } host)
        {
            WayToRedis(silo).Stall();
            return;
        }

        foreach (var other in RedisHosts())
            Network!.Cut(host, other);
    }

    /// <summary>The silo and the other silos do not reach each other any more, or only what it sends does not arrive. Throws without a network.</summary>
    public void CutFromSilos(int silo, bool isOneWay = false)
    {
        var network = Network ?? throw new PlatformNotSupportedException(NetworkLab.Impossible ?? "This lab was started without a network.");
        foreach (var other in _hosts.Where((_, i) => i != silo))
        {
            if (isOneWay)
                network.CutOneWay(_hosts[silo]!, other!);
            else
                network.Cut(_hosts[silo]!, other!);
        }
    }

    /// <summary>Of the packets between the silo and all others, Redis and silos, so many in a hundred are lost. Throws without a network.</summary>
    public void LosePackets(int silo, int percent)
    {
        var network = Network ?? throw new PlatformNotSupportedException(NetworkLab.Impossible ?? "This lab was started without a network.");
        foreach (var other in RedisHosts().Concat(_hosts.Where((_, i) => i != silo).OfType<LabHost>()))
        {
            network.Lose(_hosts[silo]!, other, percent);
            network.Lose(other, _hosts[silo]!, percent);
        }
    }

    /// <summary>What passes between the silo and Redis comes so much later.</summary>
    public void DelayRedis(int silo, TimeSpan delay, int seed = 0) => WayToRedis(silo).Delay(delay, delay, seed: seed);

    /// <summary>Silos find this Redis at the address of the one before, as where an address is moved to whoever is the primary.</summary>
    public void MoveRedis(RedisServer server)
    {
        foreach (var way in _ways)
            (way ?? throw new InvalidOperationException("With Sentinels or a Redis Cluster no proxy is between a silo and Redis.")).Lead(new(server.Address, server.Port));
    }

    /// <summary>The silo has no fault of the network any more.</summary>
    public void Heal(int silo)
    {
        _ways[silo]?.Heal();
        if (_hosts[silo] is not { } host)
            return;
        foreach (var other in RedisHosts().Concat(_hosts.OfType<LabHost>()).Where(other => other != host))
            Network!.Heal(host, other);
    }

    public async ValueTask DisposeAsync()
    {
        if (Cluster is not null)
            await Cluster.DisposeAsync();
        foreach (var way in _ways.OfType<TcpProxy>())
            await way.DisposeAsync();
        if (Store is not null)
            await Store.DisposeAsync();
        Network?.Dispose();
    }

    private SiloOptions OptionsOf(int index, SiloOptions options)
    {
        var host = Network?.Add($"silo-{index}");
        _hosts.Add(host);
        if (!HasWays)
        {
            _ways.Add(null);
            return options with { Host = host, Redis = Store.Configuration };
        }

        var primary = Store.Nodes[0];
        var way = new TcpProxy(new IPEndPoint(primary.Address, primary.Port), host, host);
        _ways.Add(way);
        return options with { Host = host, Redis = $"127.0.0.1:{way.Port}" };
    }

    private IEnumerable<LabHost> RedisHosts() => Store.Nodes.Concat(Store.Sentinels).Select(node => node.Host).OfType<LabHost>();

    private bool IsPossible(FaultKind kind) => kind switch
    {
        FaultKind.Partition => Network is not null || HasWays,
        FaultKind.OneWayPartition or FaultKind.Loss or FaultKind.Isolate or FaultKind.ClientCut => Network is not null,
        FaultKind.Delay or FaultKind.HalfOpen or FaultKind.CutMidFrame => HasWays,
        FaultKind.FailOver => Store.IsReplaced,
        FaultKind.Truncate => HasWays && Store.Nodes.Count == 1,
        _ => true,
    };
}
