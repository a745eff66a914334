using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;

namespace VmoCluster.Server;

/// <summary>
/// Ends connections that outlast the farewell. When the node leaves, Kestrel waits for its requests; a stream that a client keeps open would
/// use up the time the silo needs to hand over what it owns.
/// </summary>
internal sealed class Drain
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private readonly ConcurrentDictionary<string, ConnectionContext> _open = new();

    public void Begin(IHostApplicationLifetime lifetime) => lifetime.ApplicationStopping.Register(() => _ = EndAsync(lifetime));

    public ConnectionDelegate Watch(ConnectionDelegate next) => async connection =>
    {
        _open[connection.ConnectionId] = connection;
        try
        {
            await next(connection);
        }
        finally
        {
            _open.TryRemove(connection.ConnectionId, out _);
        }
    };

    private async Task EndAsync(IHostApplicationLifetime lifetime)
    {
        await Task.Delay(Patience, lifetime.ApplicationStopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var connection in _open.Values)
        {
            connection.Abort(new ConnectionAbortedException("The node is leaving."));
        }
    }
}
