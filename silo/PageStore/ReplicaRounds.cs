using StackExchange.Redis;

namespace VmoCluster.PageStore;

/// <summary>
/// Replicas' acknowledgements on one connection to one node. WAIT covers whatever its own connection has written before it, and holds up
/// the connection while it waits; so one WAIT is in flight at a time, and the writes sent meanwhile share the next one.
/// </summary>
/// <remarks>
/// On a connection that has written nothing, WAIT answers at once with all replicas. A round therefore asks for the connection's number
/// before its first write and behind its WAIT: the same number means that write and WAIT went down the same connection.
/// </remarks>
internal sealed class ReplicaRounds(IServer node)
{
    // Below the connection's timeout, so that a WAIT that falls short is told from a node that does not answer.
    private const int WaitMs = 500;

    private readonly Lock _lock = new();
    private Round? _open;
    private Task _flight = Task.CompletedTask;

    /// <summary>To be called right before a write is sent.</summary>
    public Round Enter(int replicas)
    {
        lock (_lock)
        {
            _open ??= new(ConnectionNumberAsync());
            _open.Replicas = Math.Max(_open.Replicas, replicas);
            return _open;
        }
    }

    /// <summary>Whether the replicas have what was written since the round was entered. False: nobody knows.</summary>
    public Task<bool> AcknowledgedAsync(Round round)
    {
        lock (_lock)
        {
            if (round.Outcome is null)
            {
                round.Outcome = RunAsync(round, _flight);
                _flight = round.Outcome;
            }

            return round.Outcome;
        }
    }

    private async Task<bool> RunAsync(Round round, Task flight)
    {
        // Never inside the lock, which the caller holds up to the first real wait.
        await Task.Yield();
        await flight.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Task<RedisResult> wait;
        Task<long> after;
        lock (_lock)
        {
            if (ReferenceEquals(_open, round))
                _open = null;
            wait = node.ExecuteAsync("WAIT", round.Replicas, WaitMs);
            after = ConnectionNumberAsync();
        }

        try
        {
            return (long)await wait >= round.Replicas && await round.Connection == await after;
        }
        catch (Exception error) when (StoreFaults.IsStoreTrouble(error))
        {
            return false;
        }
    }

    private async Task<long> ConnectionNumberAsync() => (long)await node.ExecuteAsync("CLIENT", "ID");

    internal sealed class Round(Task<long> connection)
    {
        public Task<long> Connection { get; } = connection;

        public int Replicas { get; set; }

        public Task<bool>? Outcome { get; set; }
    }
}
