using VmoCluster.Core.Store;

namespace VmoCluster.FaultPoints;

/// <summary>The store of sessions: renewals, the letters they bring, and the lists of unfinished work.</summary>
internal sealed class FaultySessions(ISessionStore store) : ISessionStore
{
    // Above it a renewal acknowledges letters that were just done.
    private ulong _acked;

    public StoreCondition Condition => store.Condition;

    public Task ConditionMoved => store.ConditionMoved;

    public void Adopt(long lineage) => store.Adopt(lineage);

    public ValueTask OpenSessionAsync(ulong session, string description, CancellationToken cancellation) => store.OpenSessionAsync(session, description, cancellation);

    public async ValueTask<Renewal> RenewAsync(ulong session, ulong counter, ulong ackedLetter, CancellationToken cancellation)
    {
        var isDone = ackedLetter > _acked;
        FaultPoint.Pass("renew.before");
        if (isDone)
            FaultPoint.Pass("letter.done.before");
        var renewal = await store.RenewAsync(session, counter, ackedLetter, cancellation);
        FaultPoint.Pass("renew.after");
        if (isDone)
            FaultPoint.Pass("letter.done.after");
        if (renewal.Letters.Count > 0)
            FaultPoint.Pass("letter.read");
        _acked = ackedLetter;
        return renewal;
    }

    public async ValueTask NoteUnfinishedAsync(ulong session, Koid vmo, CancellationToken cancellation)
    {
        FaultPoint.Pass("note.before");
        await store.NoteUnfinishedAsync(session, vmo, cancellation);
        FaultPoint.Pass("note.after");
    }

    public async ValueTask ClearUnfinishedAsync(ulong session, Koid vmo, CancellationToken cancellation)
    {
        FaultPoint.Pass("clear.before");
        await store.ClearUnfinishedAsync(session, vmo, cancellation);
        FaultPoint.Pass("clear.after");
    }

    public ValueTask<SessionState> ReadSessionAsync(ulong session, CancellationToken cancellation) => store.ReadSessionAsync(session, cancellation);

    public ValueTask<IReadOnlyDictionary<ulong, SessionState>> ReadSessionsAsync(CancellationToken cancellation) => store.ReadSessionsAsync(cancellation);

    public ValueTask<bool> MarkDeadAsync(ulong session, ulong counterSeen, CancellationToken cancellation) =>
        store.MarkDeadAsync(session, counterSeen, cancellation);

    public ValueTask<ulong> SendLetterAsync(ulong session, LetterKind kind, Koid vmo, string detail, CancellationToken cancellation) =>
        store.SendLetterAsync(session, kind, vmo, detail, cancellation);

    public ValueTask<IReadOnlyList<Koid>> ReadUnfinishedAsync(ulong session, CancellationToken cancellation) =>
        store.ReadUnfinishedAsync(session, cancellation);

    public ValueTask<IReadOnlyList<ulong>> ReadEstatesAsync(CancellationToken cancellation) => store.ReadEstatesAsync(cancellation);
}
