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
public sealed partial class NodeStore : IAsyncDisposable
{
    private readonly EmbeddedStore? _embedded;

    private NodeStore(RedisStore redis, StoreMemory memory, EmbeddedStore? embedded) => (Redis, Memory, _embedded) = (redis, memory, embedded);

    /// <summary>The connections and the two contracts.</summary>
    public RedisStore Redis { get; }

    /// <summary>What the data folder remembers of it.</summary>
    public StoreMemory Memory { get; }

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
            var memory = StoreMemory.Read(options);
            redis = await RedisStore.OpenAsync(
                new()
                {
                    Configuration = embedded?.Configuration ?? options.Redis!,
                    Password = options.RedisPassword,
                    PasswordFile = options.RedisPasswordFile,
                    CaFile = options.RedisCa,
                    KeyPrefix = options.Prefix,
                    Durability = options.Durability,
                    ClusterId = options.ClusterId,
                    Embedded = embedded is not null,
                    Judge = memory.Judge,
                    IsDiskNearlyFull = embedded is null ? null : embedded.IsDiskNearlyFull,
                },
                loggers,
                time,
                cancellation);
            if (memory.Behind(redis.Seen) is { } behind)
            {
                LogBehind(loggers.CreateLogger<NodeStore>(), redis.Identity.Id, behind.TotalSeconds);
                HostingTelemetry.SetBack(behind);
            }

            // Before the first answer is given: from here on another store is refused.
            Keep(memory, redis.Seen, options);
            return new(redis, memory, embedded);
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

    private static void Keep(StoreMemory memory, StoreSighting seen, VmoNodeOptions options)
    {
        try
        {
            memory.Keep(seen);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"--data {options.Data}: what is seen of the store cannot be written there: {failure.Message}", failure);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Store {Id} is {Seconds:F1} s behind what this node has seen of it: what was acknowledged in that time may be gone.")]
    private static partial void LogBehind(ILogger logger, string id, double seconds);

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
