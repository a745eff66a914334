using System.Collections.Concurrent;
using System.Net;
using StackExchange.Redis;

namespace VmoCluster.PageStore;

/// <summary>One multiplexer, and how writes are sent over it: in the order of the calls, answered when they are as durable as asked for.</summary>
internal sealed class StoreConnection : IAsyncDisposable
{
    private readonly ConcurrentDictionary<EndPoint, AcknowledgementRounds> _rounds = new();

    public StoreConnection(ConnectionMultiplexer multiplexer)
    {
        (Multiplexer, Database) = (multiplexer, multiplexer.GetDatabase());
        multiplexer.ConnectionFailed += (_, failed) => NoteLost(failed.ConnectionType, failed.EndPoint);
        multiplexer.ConfigurationChanged += (_, _) => Lost?.Invoke();
    }

    /// <summary>The way to a primary was lost, or the roles of servers are others now: what answers next may be another server, or the same without its latest past.</summary>
    public event Action? Lost;

    public ConnectionMultiplexer Multiplexer { get; }

    public IDatabase Database { get; }

    /// <summary>Whether each write asks Garnet to put its log on disk. Set before the first write.</summary>
    public bool IsGarnet { get; set; }

    /// <summary>Whether keys lie on several nodes.</summary>
    public bool IsCluster => Multiplexer.GetServers().Any(server => server.ServerType == ServerType.Cluster);

    /// <summary>The nodes that take writes.</summary>
    public IEnumerable<IServer> Primaries => Multiplexer.GetServers().Where(server => server.IsConnected && !server.IsReplica);

    /// <summary>Sends a script's call before it first waits, and answers when it is done and acknowledged.</summary>
    public async Task<RedisResult> EvaluateAsync(StoreScript script, RedisKey[] keys, RedisValue[] values, int replicas)
    {
        try
        {
            return await WriteAsync(keys[0], replicas, database => script.SendAsync(database, keys, values));
        }
        catch (RedisServerException error) when (StoreScript.IsUnknown(error))
        {
            // A node that was restarted, or joined since. It has done nothing.
            return await WriteAsync(keys[0], replicas, database => script.SendWholeAsync(database, keys, values));
        }
    }

    /// <summary>Sends one write before it first waits, and answers when it is done and acknowledged.</summary>
    public async Task<T> WriteAsync<T>(RedisKey key, int replicas, Func<IDatabase, Task<T>> write)
    {
        if (replicas == 0 && !IsGarnet)
            return await write(Database);
        var rounds = RoundsOf(key);
        var round = rounds.Enter(replicas);
        var result = await write(Database);
        await AcknowledgedAsync(rounds, round);
        return result;
    }

    /// <summary>The primary of a key. Throws <see cref="RedisConnectionException"/> when none is connected.</summary>
    public IServer PrimaryOf(RedisKey key)
    {
        try
        {
            return Multiplexer.GetServer(key);
        }
        catch (InvalidOperationException nobody)
        {
            throw new RedisConnectionException(ConnectionFailureType.UnableToResolvePhysicalConnection, CommandFlags.None, "No primary is connected.", nobody);
        }
    }

    public ValueTask DisposeAsync() => Multiplexer.DisposeAsync();

    private void NoteLost(ConnectionType type, EndPoint? server)
    {
        if (type == ConnectionType.Interactive && (server is null || !Multiplexer.GetServer(server).IsReplica))
            Lost?.Invoke();
    }

    private AcknowledgementRounds RoundsOf(RedisKey key)
    {
        var node = PrimaryOf(key);
        return _rounds.GetOrAdd(node.EndPoint, _ => new(node, IsGarnet));
    }

    private static async Task AcknowledgedAsync(AcknowledgementRounds rounds, AcknowledgementRounds.Round round)
    {
        if (!await rounds.AcknowledgedAsync(round))
            throw new UnacknowledgedException();
    }
}
