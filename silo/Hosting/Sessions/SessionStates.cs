using System.Collections.Concurrent;
using VmoCluster.Core.Store;

namespace VmoCluster.Hosting.Sessions;

/// <summary>
/// What this silo knows of other sessions, so that a thousand VMOs of one silo do not ask a thousand times. Dead is final and kept; alive is
/// believed for a quarter of a second, which can only make a taker wait longer.
/// </summary>
internal sealed class SessionStates(ISessionStore store, TimeProvider time)
{
    private const int KnownMax = 10_000;
    private static readonly TimeSpan Fresh = TimeSpan.FromMilliseconds(250);

    private readonly ConcurrentDictionary<ulong, (SessionState State, long At)> _known = new();

    /// <summary>A session's state, at most 250 ms old unless it is dead. Throws <see cref="StoreException"/>.</summary>
    public async ValueTask<SessionState> ReadAsync(ulong session, CancellationToken cancellation)
    {
        if (_known.TryGetValue(session, out var known) && (IsGone(known.State) || time.GetElapsedTime(known.At) < Fresh))
        {
            return known.State;
        }

        var at = time.GetTimestamp();
        var state = await store.ReadSessionAsync(session, cancellation);
        if (_known.Count >= KnownMax)
        {
            _known.Clear();
        }

        _known[session] = (state, at);
        return state;
    }

    /// <summary>Whether nobody acts under the session any more: marked dead, forgotten, or never heard of.</summary>
    public static bool IsGone(SessionState state) => state.IsDead || !state.Exists;
}
