namespace VmoCluster.Harness;

/// <summary>Several nodes as one cluster on a redis-server of their own, or on one that the test shares between clusters by prefix.</summary>
public sealed class SiloCluster : IAsyncDisposable
{
    private readonly List<SiloProcess> _silos = [];
    private readonly bool _isRedisOurs;
    private readonly SiloOptions _options;

    private SiloCluster(RedisServer redis, bool isRedisOurs, SiloOptions options)
    {
        (Redis, _isRedisOurs) = (redis, isRedisOurs);
        _options = options with { Redis = redis.Configuration, RedisPassword = redis.Password };
    }

    public RedisServer Redis { get; }

    public IReadOnlyList<SiloProcess> Silos => _silos;

    /// <summary>All gRPC endpoints, for a client that fails over.</summary>
    public IReadOnlyList<Uri> Endpoints => [.. _silos.Select(silo => silo.Endpoint)];

    /// <summary>Starts a cluster; each silo has joined when this returns.</summary>
    public static async Task<SiloCluster> StartAsync(int count, SiloOptions? options = null, RedisServer? redis = null)
    {
        var ours = redis is null;
        var cluster = new SiloCluster(redis ?? await RedisServer.StartAsync(["appendonly yes", "appendfsync everysec"]), ours, options ?? new());
        try
        {
            // One after the other: what each takes of the machine while it starts is what the others would wait for anyway.
            for (var i = 0; i < count; i++)
            {
                await cluster.AddAsync();
            }

            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one more.</summary>
    public async Task<SiloProcess> AddAsync()
    {
        var silo = await SiloProcess.StartAsync(_options);
        _silos.Add(silo);
        return silo;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var silo in _silos)
        {
            await silo.DisposeAsync();
        }

        if (_isRedisOurs)
        {
            await Redis.DisposeAsync();
        }
    }
}
