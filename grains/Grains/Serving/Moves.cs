using VmoCluster.Core.Store;

namespace VmoCluster.Grains.Serving;

/// <summary>
/// Activations that a silo sends to others: one that leaves, all that are called; one without its store, a thousand a second at most, for where the store
/// is away from all of them the others send them back. Safe from several threads.
/// </summary>
public sealed class Moves(ISessionStore sessions, ISiloSession session, IServingSilos serving, TimeProvider time)
{
    private const long RestMs = 1;

    private long _nextMs = long.MinValue;

    /// <summary>Whether this silo leaves, and others take what it had.</summary>
    public bool IsLeaving => serving.IsLeaving;

    /// <summary>Whether an activation that can do nothing here had better be elsewhere, and may go now.</summary>
    public bool TryBegin()
    {
        if (sessions.Condition.IsReachable || session.IsValid(session.Id))
            return false;
        var (now, next) = ((long)time.GetElapsedTime(0).TotalMilliseconds, Interlocked.Read(ref _nextMs));
        return now >= next && Interlocked.CompareExchange(ref _nextMs, now + RestMs, next) == next;
    }
}
