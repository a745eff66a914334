using Microsoft.Extensions.Logging.Abstractions;
using VmoCluster.Harness;

namespace VmoCluster.PageStore.Tests;

/// <summary>A store to run the suite against, shared by all its tests; each test takes a key prefix of its own.</summary>
public abstract class StoreBackend : IAsyncLifetime
{
    private int _prefixes;

    public abstract string Configuration { get; }

    public abstract Task InitializeAsync();

    public abstract Task DisposeAsync();

    public virtual bool IsEmbedded => false;

    public RedisStoreOptions FreshOptions() =>
        new() { Configuration = Configuration, KeyPrefix = $"t{Interlocked.Increment(ref _prefixes)}:", Embedded = IsEmbedded };

    public static Task<RedisStore> OpenAsync(RedisStoreOptions options) =>
        RedisStore.OpenAsync(options, NullLoggerFactory.Instance, TimeProvider.System, CancellationToken.None);
}

public sealed class GarnetBackend : StoreBackend
{
    private string? _folder;
    private EmbeddedStore? _store;

    public override string Configuration => _store!.Configuration;

    public override bool IsEmbedded => true;

    public override Task InitializeAsync()
    {
        _folder = Directory.CreateTempSubdirectory("vmo-store-").FullName;
        _store = EmbeddedStore.Start(new() { Folder = _folder }, NullLoggerFactory.Instance);
        return Task.CompletedTask;
    }

    public override async Task DisposeAsync()
    {
        await _store!.DisposeAsync();
        Directory.Delete(_folder!, recursive: true);
    }
}

public sealed class RedisBackend : StoreBackend
{
    private RedisServer? _server;

    public override string Configuration => _server!.Configuration;

    public override async Task InitializeAsync() => _server = await RedisServer.StartAsync();

    public override async Task DisposeAsync() => await _server!.DisposeAsync();
}

public sealed class ClusterBackend : StoreBackend
{
    private RedisCluster? _cluster;

    public override string Configuration => _cluster!.Configuration;

    public override async Task InitializeAsync() => _cluster = await RedisCluster.StartAsync();

    public override async Task DisposeAsync() => await _cluster!.DisposeAsync();
}

/// <summary>A folder that goes with its test.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("vmo-store-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

[CollectionDefinition(Name)]
public sealed class GarnetCollection : ICollectionFixture<GarnetBackend>
{
    public const string Name = "embedded Garnet";
}

[CollectionDefinition(Name)]
public sealed class RedisCollection : ICollectionFixture<RedisBackend>
{
    public const string Name = "redis-server";
}

[CollectionDefinition(Name)]
public sealed class ClusterCollection : ICollectionFixture<ClusterBackend>
{
    public const string Name = "Redis Cluster";
}
