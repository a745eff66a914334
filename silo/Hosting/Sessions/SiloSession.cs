using VmoCluster.Core.Store;

namespace VmoCluster.Hosting.Sessions;

/// <summary>
/// The lease this silo holds, as everybody on it may ask. <see cref="SessionKeeper"/> alone begins, extends and ends it.
/// </summary>
public sealed class SiloSession(TimeProvider time) : ISiloSession
{
    private static readonly TimeSpan Lease = TimeSpan.FromMilliseconds(Limits.SessionLeaseMs);

    // One object per session, never used for another: a reader that holds an old one can only find it ended.
    private volatile Term? _term;

    /// <inheritdoc/>
    public ulong Id => _term?.Session ?? 0;

    /// <summary>What is left of the lease; zero when it ran out or there is none.</summary>
    public TimeSpan Left
    {
        get
        {
            var until = _term is { } term ? Volatile.Read(ref term.Until) : long.MinValue;
            var now = time.GetTimestamp();
            return until > now ? time.GetElapsedTime(now, until) : TimeSpan.Zero;
        }
    }

    /// <inheritdoc/>
    public bool IsValid(ulong session) =>
        _term is { } term && term.Session == session && time.GetTimestamp() < Volatile.Read(ref term.Until);

    /// <inheritdoc/>
    public long? LineageOf(ulong session) =>
        _term is { } term && term.Session == session && time.GetTimestamp() < Volatile.Read(ref term.Until) ? term.Lineage : null;

    /// <summary>Begins a session's lease.</summary>
    /// <param name="session">Not 0, not used before.</param>
    /// <param name="sentAt">This silo's clock before the opening was sent.</param>
    /// <param name="lineage">The store's, before it was sent.</param>
    internal void Begin(ulong session, long sentAt, long lineage) => _term = new(session, lineage) { Until = After(sentAt) };

    /// <summary>Lets the present lease grow: the renewal sent at that time was acknowledged, and its letters are done.</summary>
    internal void Extend(long sentAt)
    {
        if (_term is { } term)
        {
            Volatile.Write(ref term.Until, After(sentAt));
        }
    }

    /// <summary>Ends the lease at once, for as long as nothing extends it: the session may still be alive.</summary>
    internal void Suspend()
    {
        if (_term is { } term)
        {
            Volatile.Write(ref term.Until, long.MinValue);
        }
    }

    /// <summary>Ends the lease at once and for good. Whoever asks after this returns is told no.</summary>
    internal void End()
    {
        if (_term is { } term)
        {
            Volatile.Write(ref term.Until, long.MinValue);
            _term = null;
        }
    }

    private long After(long sentAt) => sentAt + (long)(Lease.TotalSeconds * time.TimestampFrequency);

    private sealed class Term(ulong session, long lineage)
    {
        public readonly ulong Session = session;
        public readonly long Lineage = lineage;

        // In the clock's ticks. Written by the keeper only.
        public long Until;
    }
}
