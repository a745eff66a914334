using StackExchange.Redis;

namespace VmoCluster.PageStore;

/// <summary>
/// Acknowledgements beyond the reply, on one connection to one node: replicas that have the write (WAIT), or on Garnet the append-only file
/// on disk (COMMITAOF). Either covers whatever the same connection has sent before and holds up what it sends behind; so one is in flight
/// at a time, and the writes sent meanwhile share the next one. That is the group commit of the embedded store.
/// </summary>
/// <remarks>
/// On a connection that has written nothing, WAIT answers at once with all replicas. A round therefore asks for the connection's number
/// before its first write and behind its WAIT: the same number means that write and WAIT went down the same connection.
/// </remarks>
internal sealed class AcknowledgementRounds(IServer node, bool isGarnet)
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
            _open ??= new(isGarnet ? Task.FromResult(0L) : ConnectionNumberAsync());
            _open.Replicas = Math.Max(_open.Replicas, replicas);
            return _open;
        }
    }

    /// <summary>Whether what was written since the round was entered is acknowledged. False: nobody knows.</summary>
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
        Task<bool> acknowledgement;
        lock (_lock)
        {
            if (ReferenceEquals(_open, round))
                _open = null;
            acknowledgement = isGarnet ? LoggedAsync() : ReplicatedAsync(round);
        }

        try
        {
            return await acknowledgement;
        }
        catch (Exception error) when (StoreFaults.IsStoreTrouble(error))
        {
            return false;
        }
    }

    private async Task<bool> LoggedAsync()
    {
        await node.ExecuteAsync("COMMITAOF");
        return true;
    }

    private async Task<bool> ReplicatedAsync(Round round)
    {
        var wait = node.ExecuteAsync("WAIT", round.Replicas, WaitMs);
        var after = ConnectionNumberAsync();
        return (long)await wait >= round.Replicas && await round.Connection == await after;
    }

    private async Task<long> ConnectionNumberAsync() => (long)await node.ExecuteAsync("CLIENT", "ID");

    internal sealed class Round(Task<long> connection)
    {
        public Task<long> Connection { get; } = connection;

        public int Replicas { get; set; }

        public Task<bool>? Outcome { get; set; }
    }
}
