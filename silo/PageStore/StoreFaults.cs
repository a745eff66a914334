using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// The one place where Redis' errors become ours. A server's error is a definite no: every script has one write that matters, and an
/// error before it means that it did not happen. Anything else leaves the outcome open.
/// </summary>
internal static class StoreFaults
{
    public static CommitOutcome Outcome(Exception error) => error switch
    {
        RedisServerException server => IsFull(server) ? CommitOutcome.Full : CommitOutcome.Refused,
        // Never sent: the client itself knows that no node would take it.
        RedisCommandException => CommitOutcome.Refused,
        _ => CommitOutcome.Unknown,
    };

    public static bool IsFull(RedisServerException error) => error.Message.StartsWith("OOM", StringComparison.Ordinal);

    /// <summary>Whether this is trouble with the store, and not a bug of ours or a cancellation.</summary>
    public static bool IsStoreTrouble(Exception error) =>
        error is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException or IOException;

    public static StoreException ToStoreException(Exception error, string operation) => error switch
    {
        StoreException ours => ours,
        RedisServerException server when IsFull(server) => new(VmoStatus.NoSpace, "The store is full.", error),
        RedisServerException server when server.Message.StartsWith("OTHERSTORE", StringComparison.Ordinal) =>
            new(VmoStatus.Io, $"The store refused {operation}: it is not the one this silo works on, or it was emptied.", error),
        RedisServerException server when server.Message.StartsWith("SETBACK", StringComparison.Ordinal) =>
            new(VmoStatus.Io, $"The store refused {operation}: it is an old copy of the one this silo works on.", error),
        RedisServerException server => new(VmoStatus.Io, $"The store refused {operation}: {Prefix(server)}.", error),
        RedisCommandException => new(VmoStatus.Io, $"The store has no primary that could take {operation}.", error),
        UnacknowledgedException => new(VmoStatus.Io, error.Message, error),
        TimeoutException => new(VmoStatus.Io, $"The store did not answer {operation} in time.", error),
        _ => new(VmoStatus.Io, $"The store could not be reached for {operation}.", error),
    };

    /// <summary>What telemetry is told: Redis' own error word, or the kind of failure.</summary>
    public static string Kind(Exception error) => error switch
    {
        RedisServerException server => Prefix(server),
        UnacknowledgedException => "unacknowledged",
        TimeoutException => "timeout",
        RedisConnectionException connection => connection.FailureType.ToString(),
        OperationCanceledException => "canceled",
        _ => error.GetType().Name,
    };

    // The first word only: the rest may quote keys and values.
    private static string Prefix(RedisServerException error)
    {
        var end = error.Message.IndexOf(' ', StringComparison.Ordinal);
        var word = end < 0 ? error.Message : error.Message[..end];
        return word.Length is > 0 and <= 24 && word.All(c => c is >= 'A' and <= 'Z') ? word : "ERR";
    }
}
