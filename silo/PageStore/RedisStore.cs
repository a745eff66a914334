using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// An opened store: its connections, who it is, and the two contracts over it. One a silo.
/// </summary>
public sealed class RedisStore : IAsyncDisposable
{
    /// <summary>Older ones cannot say that a script may still free memory when there is none.</summary>
    private static readonly Version RedisLeast = new(7, 0);

    private static readonly TimeSpan OpeningPatience = TimeSpan.FromSeconds(15);

    private readonly StoreConnections _connections;
    private readonly StoreWatch _watch;

    private RedisStore(StoreConnections connections, LateWrites late, StoreWatch watch, StoreKeys keys, StoreScripts scripts, StoreIdentity identity, TimeProvider time)
    {
        (_connections, _watch, Identity) = (connections, watch, identity);
        foreach (var connection in connections.All)
            connection.Lost += watch.Doubt;
        Pages = new RedisPageStore(connections, late, watch, keys, scripts, new(connections, identity.Id, keys), time);
        Sessions = new RedisSessionStore(connections.Control, late, watch, keys, scripts, identity.Id, time);
    }

    /// <summary>Records, layers and blobs.</summary>
    public IPageStore Pages { get; }

    /// <summary>Silos' sessions.</summary>
    public ISessionStore Sessions { get; }

    /// <summary>Which store this is.</summary>
    public StoreIdentity Identity { get; }

    /// <summary>Whether all its primaries answered when last asked, within the last two seconds or so.</summary>
    public bool IsReachable => _watch.IsReachable;

    /// <summary>How it is: whether it may be used, and how often its history has changed.</summary>
    public StoreCondition Condition => _watch.Condition;

    /// <summary>The newest this silo has seen of it.</summary>
    public StoreSighting Seen => _watch.Seen;

    /// <summary>Whether only frees and changes of structure are stored at present.</summary>
    public bool IsNearlyFull => _watch.IsNearlyFull;

    /// <summary>The connection for Orleans' membership: shared with the sessions, owned by this store.</summary>
    public IConnectionMultiplexer Membership => _connections.Control.Multiplexer;

    /// <summary>
    /// Connects, checks that the store can be trusted with pages, and writes its identity if it is new. Throws <see cref="StoreException"/>
    /// whose message says what is wrong and what to do.
    /// </summary>
    public static async Task<RedisStore> OpenAsync(RedisStoreOptions options, ILoggerFactory loggers, TimeProvider time, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(options);
        var keys = new StoreKeys(options.KeyPrefix);
        if (options.HighWaterRatio is not (> 0 and <= 1))
            throw new StoreException(VmoStatus.Io, "The high-water ratio must be above 0 and at most 1.");
        var connections = await StoreConnections.OpenAsync(options).WaitAsync(cancellation);
        try
        {
            var isGarnet = await PatientlyAsync(() => CheckServersAsync(connections.Control), time, cancellation);
            var health = await PatientlyAsync(() => StoreHealth.AskAsync(connections.Control), time, cancellation);
            Check(options, connections.Control, health, isGarnet);
            connections.Control.IsGarnet = connections.Commits.IsGarnet = isGarnet;
            var scripts = new StoreScripts(isGarnet);
            await PatientlyAsync(() => LoadAsync(connections, scripts), time, cancellation);
            // One id for all tries: a repeat must know its own.
            var fresh = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
            var (identity, seen) = await PatientlyAsync(() => IdentifyAsync(connections.Control, options, keys, scripts, fresh, time), time, cancellation);
            var log = loggers.CreateLogger<RedisStore>();
            if (options.Durability.ReplicaCount > 0 && options.Durability.ReplicaCount < health.ReplicasLeast)
                PageStoreLog.FewAcknowledge(log, options.Durability.ToString(), health.ReplicasLeast, $"replicas:{health.ReplicasLeast}");
            PageStoreLog.Opened(log, identity.Id, identity.Layout, identity.Durability.ToString(), health.Primaries);
            return new(
                connections, new(connections.Commits, connections.CommitsName, log), new(connections.Control, options, keys, seen, health, time, log), keys, scripts, identity, time);
        }
        catch (Exception error)
        {
            await connections.DisposeAsync();
            if (!StoreFaults.IsStoreTrouble(error))
                throw;
            throw OpeningFailed(error);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _watch.DisposeAsync();
        await _connections.DisposeAsync();
    }

    // A Redis that loads its data, or an embedded store that runs its first commands, may be slower than the second we give it later.
    // All steps of opening can be repeated.
    private static async Task<T> PatientlyAsync<T>(Func<Task<T>> step, TimeProvider time, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                return await step();
            }
            catch (Exception error) when (error is TimeoutException && time.GetElapsedTime(began) < OpeningPatience)
            {
                continue;
            }
        }
    }

    // Known scripts and warm connections from the first commit on. Answers how many scripts.
    private static async Task<int> LoadAsync(StoreConnections connections, StoreScripts scripts)
    {
        var all = scripts.All.ToArray();
        foreach (var node in connections.Control.Primaries)
            await Task.WhenAll(all.Select(script => node.ScriptLoadAsync(script.Text)));
        foreach (var node in connections.Commits.Primaries)
            await Task.WhenAll(all.Select(script => node.ScriptLoadAsync(script.Text)));
        return all.Length;
    }

    private static async Task<bool> CheckServersAsync(StoreConnection control)
    {
        var isGarnet = false;
        foreach (var node in control.Multiplexer.GetServers().Where(node => node.IsConnected))
        {
            var about = await StoreHealth.SectionAsync(node, "server");
            isGarnet |= about.ContainsKey("garnet_version");
            if (!isGarnet && (!Version.TryParse(about.GetValueOrDefault("redis_version"), out var version) || version < RedisLeast))
                throw new StoreException(VmoStatus.Io, $"Redis {RedisLeast} or newer is needed; this one is {about.GetValueOrDefault("redis_version", "unknown")}.");
        }

        return isGarnet;
    }

    private static void Check(RedisStoreOptions options, StoreConnection control, StoreHealth health, bool isGarnet)
    {
        if (health.Primaries == 0)
        {
            throw new StoreException(VmoStatus.Io, control.Multiplexer.GetServers().Any(node => node.IsConnected && node.IsReplica)
                ? "This Redis is a read-only replica: configure the primary's address."
                : "No Redis answers at present: the connection was lost while the store was being opened.");
        }

        if (health.EvictingPolicy is { } policy)
        {
            throw new StoreException(
                VmoStatus.Io, $"This Redis throws keys away when it is full (maxmemory-policy {policy}), and pages with them: set maxmemory-policy noeviction.");
        }

        var replicas = options.Durability.ReplicaCount;
        if (replicas > 0 && isGarnet)
            throw new StoreException(VmoStatus.Io, "Garnet, the embedded store, has no WAIT: durability must be primary, or the store a Redis.");
        if (health.ReplicasLeast < replicas)
        {
            throw new StoreException(
                VmoStatus.Io, $"Durability {options.Durability} needs {replicas} replicas of each primary; one has {health.ReplicasLeast}: add replicas or ask for less.");
        }
    }

    // The id stands in two places: with the sessions, where every script of theirs sees it, and with what the store was made with. It is decided
    // in the first, so a store that has only the second has lost its sessions, and one that has only the first without a heartbeat was left half made.
    private static async Task<(StoreIdentity Identity, StoreSighting Seen)> IdentifyAsync(
        StoreConnection control, RedisStoreOptions options, StoreKeys keys, StoreScripts scripts, string fresh, TimeProvider time)
    {
        var found = await control.Database.HashGetAllAsync(keys.Store, CommandFlags.DemandMaster);
        var (id, seen) = await SightAsync(control, keys);
        if (found.Length == 0 && seen is { Beats: > 0 } || found.Length > 0 && found.FirstOrDefault(field => field.Name == "id").Value is { IsNull: false } stored && stored != id)
            throw new StoreException(VmoStatus.Io, $"A part of the store is gone: its identity and its sessions do not belong together ({id ?? "none"}). Restore all of it together.");
        // Ours already: an earlier try, whose acknowledgement did not come.
        var isMade = found.Length > 0 && id != fresh;
        if (options.Judge?.Invoke(isMade ? seen : null) is { } refusal)
            throw new StoreException(VmoStatus.Io, refusal);
        if (!isMade)
        {
            var told = ToHash(await control.EvaluateAsync(scripts.Identify, [keys.Sessions], ["store", "store", fresh], options.Durability.ReplicaCount));
            id = (string)told.First(field => field.Name == "store").Value!;
            RedisValue[] fields =
            [
                "id", "id", id, "layout", StoreIdentity.LayoutNow, "limits", Limits.Fingerprint, "durability", options.Durability.ToString(),
                "created", time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture),
            ];
            found = ToHash(await control.EvaluateAsync(scripts.Identify, [keys.Store], fields, options.Durability.ReplicaCount));
            (_, seen) = await SightAsync(control, keys);
        }

        var identity = ReadIdentity(found.ToDictionary(f => (string)f.Name!, f => (string)f.Value!), fresh);
        if (identity.Limits != Limits.Fingerprint)
        {
            throw new StoreException(
                VmoStatus.Io, $"The store was made with other limits ({identity.Limits}) than this build has ({Limits.Fingerprint}): run the build it was made with.");
        }

        if (identity.Durability != options.Durability)
        {
            throw new StoreException(
                VmoStatus.Io, $"The store's durability is {identity.Durability}, this silo asks for {options.Durability}: all silos must ask for the same.");
        }

        await RequireClusterAsync(control, options, keys, scripts, identity.Id);
        return (identity, seen ?? StoreSighting.Read(identity.Id, null));
    }

    // Said by the first silo that asks, which may be a later one than that which made the store.
    private static async Task RequireClusterAsync(StoreConnection control, RedisStoreOptions options, StoreKeys keys, StoreScripts scripts, string id)
    {
        var asked = options.ClusterId ?? ClusterNames.ClusterId(id);
        var found = (string?)await control.Database.HashGetAsync(keys.Store, "cluster", CommandFlags.DemandMaster)
            ?? (string)ToHash(await control.EvaluateAsync(scripts.Identify, [keys.Store], ["cluster", "cluster", asked], options.Durability.ReplicaCount))
                .First(field => field.Name == "cluster").Value!;
        if (found != asked)
        {
            throw new StoreException(
                VmoStatus.Io,
                $"The silos of this store are the cluster {found}, this one asks for {asked}: all must ask for the same. Another name can be taken when none runs, after HDEL {keys.Store} cluster.");
        }
    }

    private static async Task<(string? Id, StoreSighting? Seen)> SightAsync(StoreConnection control, StoreKeys keys)
    {
        var found = await control.Database.HashGetAsync(keys.Sessions, ["store", "beat"], CommandFlags.DemandMaster);
        var id = (string?)found[0];
        return (id, id is null ? null : StoreSighting.Read(id, (string?)found[1]));
    }

    private static StoreIdentity ReadIdentity(Dictionary<string, string> fields, string fresh)
    {
        if (!int.TryParse(fields.GetValueOrDefault("layout"), NumberStyles.None, CultureInfo.InvariantCulture, out var layout)
            || fields.GetValueOrDefault("id") is not { Length: 32 } id)
            throw NotOurs();
        if (layout != StoreIdentity.LayoutNow)
        {
            throw new StoreException(
                VmoStatus.Io, $"The store has layout {layout}, this build knows layout {StoreIdentity.LayoutNow}: run a build that knows it. Nothing was changed.");
        }

        if (!Durability.TryParse(fields.GetValueOrDefault("durability"), out var durability)
            || !DateTimeOffset.TryParse(fields.GetValueOrDefault("created"), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var created))
            throw NotOurs();
        return new(id, layout, fields.GetValueOrDefault("limits", ""), durability, created, id == fresh);
    }

    private static HashEntry[] ToHash(RedisResult result)
    {
        var flat = (RedisValue[])result!;
        return [.. flat.Chunk(2).Select(pair => new HashEntry(pair[0], pair[1]))];
    }

    private static StoreException OpeningFailed(Exception error) => error switch
    {
        RedisServerException server when StoreFaults.IsFull(server) =>
            new(VmoStatus.NoSpace, "The store is full and was never used by this cluster: give Redis more memory (maxmemory).", error),
        RedisServerException server when server.Message.Contains("WRONGTYPE", StringComparison.Ordinal) => NotOurs(),
        RedisServerException server when server.Message.StartsWith("READONLY", StringComparison.Ordinal) =>
            new(VmoStatus.Io, "This Redis is a read-only replica: configure the primary's address.", error),
        RedisServerException server when server.Message.StartsWith("NOAUTH", StringComparison.Ordinal) =>
            new(VmoStatus.Io, $"The store wants a password: set it in a file, in {RedisStoreOptions.PasswordVariable}, or in the configuration.", error),
        _ => StoreFaults.ToStoreException(error, "its opening"),
    };

    private static StoreException NotOurs() =>
        new(VmoStatus.Io, "What stands under this key prefix is not a VMO Cluster's store: choose another prefix. Nothing was changed.");
}
