using System.Collections.Concurrent;
using System.Net;
using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>One multiplexer, and how writes are sent over it: in the order of the calls, with as many replicas as asked for.</summary>
internal sealed class StoreConnection(ConnectionMultiplexer multiplexer) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<EndPoint, ReplicaRounds> _rounds = new();

    public ConnectionMultiplexer Multiplexer { get; } = multiplexer;

    public IDatabase Database { get; } = multiplexer.GetDatabase();

    /// <summary>The nodes that take writes.</summary>
    public IEnumerable<IServer> Primaries => Multiplexer.GetServers().Where(server => server.IsConnected && !server.IsReplica);

    /// <summary>Sends a script's call before it first waits, and answers when it is done and the replicas have it.</summary>
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

    /// <summary>Sends one write before it first waits, and answers when it is done and the replicas have it.</summary>
    public async Task<T> WriteAsync<T>(RedisKey key, int replicas, Func<IDatabase, Task<T>> write)
    {
        if (replicas == 0)
            return await write(Database);
        var rounds = RoundsOf(key);
        var round = rounds.Enter(replicas);
        var result = await write(Database);
        await AcknowledgedAsync(rounds, round);
        return result;
    }

    public ValueTask DisposeAsync() => Multiplexer.DisposeAsync();

    private ReplicaRounds RoundsOf(RedisKey key)
    {
        var node = Multiplexer.GetServer(key);
        return _rounds.GetOrAdd(node.EndPoint, static (_, node) => new(node), node);
    }

    private static async Task AcknowledgedAsync(ReplicaRounds rounds, ReplicaRounds.Round round)
    {
        if (!await rounds.AcknowledgedAsync(round))
            throw new StoreException(VmoStatus.Io, "Too few replicas acknowledged the change.");
    }
}
