using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// Keeps what is no commit, and so is not fenced by an owner, from being done in another store than the silo's, and "there is nothing" from being
/// believed of one that was emptied. On a single Redis each script sees the store's id itself; in a Redis Cluster the id lies on one node, and the
/// others' word is taken.
/// </summary>
internal sealed class StoreGuard(StoreConnections connections, string id, StoreKeys keys)
{
    private readonly bool _isCluster = connections.Control.IsCluster;

    /// <summary>The guarded script's last argument.</summary>
    public RedisValue Argument => _isCluster ? RedisValue.EmptyString : id;

    /// <summary>The guarded script's keys: its own, and the guard's.</summary>
    public RedisKey[] Keys(params ReadOnlySpan<RedisKey> own) => _isCluster ? [.. own] : [.. own, keys.Sessions];

    /// <summary>Asks for the id behind everything that was read over the same connection before. Its answer is for <see cref="Require"/>.</summary>
    public Task<RedisValue> AskAsync() => connections.Reads.Database.HashGetAsync(keys.Sessions, "store", CommandFlags.DemandMaster);

    /// <summary>Throws unless the answer is the silo's own store's.</summary>
    public void Require(RedisValue found)
    {
        if (found != id)
            throw new StoreException(VmoStatus.Io, $"this is not the store the silo works on ({id}); nothing of it is believed");
    }
}
