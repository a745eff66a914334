using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using VmoCluster.Core.Store;
using VmoCluster.Hosting.Settings;
using VmoCluster.PageStore;

namespace VmoCluster.Hosting.Nodes;

/// <summary>
/// The store a node works on: Redis, or the embedded one in the data folder. Opened before anything else of the node, because nothing makes
/// sense without it; closed after everything else.
/// </summary>
public sealed class NodeStore : IAsyncDisposable
{
    private readonly EmbeddedStore? _embedded;

    private NodeStore(RedisStore redis, EmbeddedStore? embedded) => (Redis, _embedded) = (redis, embedded);

    /// <summary>The connections and the two contracts.</summary>
    public RedisStore Redis { get; }

    /// <summary>Whether no other process can use this store while this one lives.</summary>
    public bool IsOurs => _embedded is not null;

    /// <summary>Opens it. Throws <see cref="StoreException"/> or <see cref="StartupException"/> with what to do.</summary>
    public static async Task<NodeStore> OpenAsync(VmoNodeOptions options, ILoggerFactory loggers, TimeProvider time, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(options);
        var embedded = options.IsEmbedded
            ? EmbeddedStore.Start(new() { Folder = Path.Combine(options.Data, "store"), MemoryBytes = options.EmbeddedBytes }, loggers)
            : null;
        RedisStore? redis = null;
        try
        {
            redis = await RedisStore.OpenAsync(
                new()
                {
                    Configuration = embedded?.Configuration ?? options.Redis!,
                    Password = options.RedisPassword,
                    PasswordFile = options.RedisPasswordFile,
                    CaFile = options.RedisCa,
                    KeyPrefix = options.Prefix,
                    Durability = options.Durability,
                    Embedded = embedded is not null,
                    IsDiskNearlyFull = embedded is null ? null : embedded.IsDiskNearlyFull,
                },
                loggers,
                time,
                cancellation);
            if (options.StoreId is { } expected && !string.Equals(expected, redis.Identity.Id, StringComparison.OrdinalIgnoreCase))
            {
                throw new StartupException(
                    $"--store-id {expected}: this store's id is {redis.Identity.Id}. It is another Redis, or its data is gone; nothing was changed but a new store's identity.");
            }

            return new(redis, embedded);
        }
        catch (Exception failure)
        {
            if (redis is not null)
            {
                await redis.DisposeAsync();
            }

            if (embedded is not null)
            {
                await embedded.DisposeAsync();
            }

            // Which Redis it is about, from the configuration's addresses alone: the rest of it may hold a password.
            if (failure is StoreException && options.Redis is { } configuration)
            {
                throw new StartupException($"--redis {string.Join(',', ConfigurationOptions.Parse(configuration).EndPoints)}: {failure.Message}", failure);
            }

            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Redis.DisposeAsync();
        if (_embedded is not null)
        {
            await _embedded.DisposeAsync();
        }
    }
}
