namespace VmoCluster.Core.Store;

/// <summary>A numbered message to a session; it is acknowledged by the renewal that follows the deed.</summary>
/// <param name="Number">From 1, without gaps, per session.</param>
/// <param name="Kind">What to do.</param>
/// <param name="Vmo">The VMO it is about.</param>
/// <param name="Detail">What else it says: a layer for Retire, empty otherwise.</param>
public sealed record Letter(ulong Number, LetterKind Kind, Koid Vmo, string Detail);

/// <summary>What a letter asks for.</summary>
public enum LetterKind : byte
{
    /// <summary>Give the VMO up: end the activation that owns it.</summary>
    GiveUp = 1,

    /// <summary>Drop what was delegated by the VMO.</summary>
    Drop = 2,

    /// <summary>Forget maps and blobs of a layer.</summary>
    Retire = 3,
}

/// <summary>A session as others see it.</summary>
/// <param name="Counter">Moves with each renewal.</param>
/// <param name="AckedLetter">The last letter done.</param>
/// <param name="IsDead">Final.</param>
/// <param name="Exists">False: never heard of, or forgotten; the same as dead.</param>
/// <param name="Description">What it was opened with, where all sessions are read; else empty.</param>
public readonly record struct SessionState(ulong Counter, ulong AckedLetter, bool IsDead, bool Exists, string Description = "");

/// <summary>A renewal's answer.</summary>
/// <param name="IsAlive">False: the session was marked dead. Take a new one.</param>
/// <param name="Letters">Letters above the acknowledged number, in order.</param>
public sealed record Renewal(bool IsAlive, IReadOnlyList<Letter> Letters);

/// <summary>
/// Sessions of silos: fields of one hash, by which anyone can tell who is alive. No key expires. All methods throw
/// <see cref="StoreException"/> when the store does not answer.
/// </summary>
public interface ISessionStore
{
    /// <summary>How the store is, as of the last look at it.</summary>
    StoreCondition Condition { get; }

    /// <summary>Done when <see cref="Condition"/> is another than when this was asked for.</summary>
    Task ConditionMoved { get; }

    /// <summary>
    /// The silo holds nothing any more of what it has read before this lineage: pages and records may be asked for again. Whoever has said so once
    /// says so of each lineage that follows; until then they may not.
    /// </summary>
    void Adopt(long lineage);

    /// <summary>Opens a session under an id never used before; its counter begins at 1. The description is for people.</summary>
    ValueTask OpenSessionAsync(ulong session, string description, CancellationToken cancellation);

    /// <summary>Moves the counter from what it was to one more, and acknowledges letters up to a number.</summary>
    ValueTask<Renewal> RenewAsync(ulong session, ulong counter, ulong ackedLetter, CancellationToken cancellation);

    /// <summary>The state of one session.</summary>
    ValueTask<SessionState> ReadSessionAsync(ulong session, CancellationToken cancellation);

    /// <summary>All sessions that are not dead.</summary>
    ValueTask<IReadOnlyDictionary<ulong, SessionState>> ReadSessionsAsync(CancellationToken cancellation);

    /// <summary>
    /// Marks a session dead if its counter is still the one seen. Dead is final.
    /// </summary>
    ValueTask<bool> MarkDeadAsync(ulong session, ulong counterSeen, CancellationToken cancellation);

    /// <summary>Sends a letter; returns its number, 0 if the session is dead or unknown.</summary>
    ValueTask<ulong> SendLetterAsync(ulong session, LetterKind kind, Koid vmo, string detail, CancellationToken cancellation);

    /// <summary>
    /// The estate of VMOs that nobody has owned yet and whose maker must be heard of: noted when they are made, struck off by their first owner, who notes them under its own
    /// session. It is read as a dead session's; what stays in it, nobody came for.
    /// </summary>
    const ulong Newborns = 0;

    /// <summary>Notes that a VMO has unfinished work (dying, intents) under a session, before the work's first commit; or as one of the <see cref="Newborns"/>.</summary>
    ValueTask NoteUnfinishedAsync(ulong session, Koid vmo, CancellationToken cancellation);

    /// <summary>The work is done.</summary>
    ValueTask ClearUnfinishedAsync(ulong session, Koid vmo, CancellationToken cancellation);

    /// <summary>VMOs with unfinished work under a session; also of a dead one, for its heir.</summary>
    ValueTask<IReadOnlyList<Koid>> ReadUnfinishedAsync(ulong session, CancellationToken cancellation);

    /// <summary>Sessions marked dead that still have unfinished work, and <see cref="Newborns"/> where there are some.</summary>
    ValueTask<IReadOnlyList<ulong>> ReadEstatesAsync(CancellationToken cancellation);
}
