namespace VmoCluster.PageStore;

/// <summary>
/// All scripts, for one kind of server. Most may write when Redis is full: they free memory, or are what freeing needs.
/// </summary>
internal sealed class StoreScripts
{
    public StoreScripts(bool isGarnet)
    {
        var (plain, whenFull) = isGarnet ? ("", "") : ("#!lua\n", "#!lua flags=allow-oom\n");
        Identify = StoreScript.Read("identify", plain);
        Commit = StoreScript.Read("commit", plain);
        CommitWhenFull = StoreScript.Read("commit", whenFull);
        Settle = StoreScript.Read("settle", whenFull);
        Create = StoreScript.Read("create", plain);
        TakeOver = StoreScript.Read("takeover", whenFull);
        Release = StoreScript.Read("release", whenFull);
        Remove = StoreScript.Read("remove", whenFull);
        CreatePromised = StoreScript.Read("create", whenFull);
        DropLayer = StoreScript.Read("drop-layer", whenFull);
        Erase = StoreScript.Read("erase", whenFull);
        OpenSession = StoreScript.Read("session-open", whenFull);
        RenewSession = StoreScript.Read("session-renew", whenFull);
        MarkSession = StoreScript.Read("session-mark", whenFull);
        SendLetter = StoreScript.Read("session-letter", whenFull);
        NoteUnfinished = StoreScript.Read("session-note", whenFull);
        ForgetSession = StoreScript.Read("session-forget", whenFull);
    }

    public StoreScript Identify { get; }

    public StoreScript Commit { get; }

    public StoreScript CommitWhenFull { get; }

    public StoreScript Settle { get; }

    public StoreScript Create { get; }

    public StoreScript TakeOver { get; }

    public StoreScript Release { get; }

    public StoreScript Remove { get; }

    public StoreScript CreatePromised { get; }

    public StoreScript DropLayer { get; }

    public StoreScript Erase { get; }

    public StoreScript OpenSession { get; }

    public StoreScript RenewSession { get; }

    public StoreScript MarkSession { get; }

    public StoreScript SendLetter { get; }

    public StoreScript NoteUnfinished { get; }

    public StoreScript ForgetSession { get; }

    public IEnumerable<StoreScript> All =>
    [
        Identify, Commit, CommitWhenFull, Settle, Create, CreatePromised, TakeOver, Release, Remove, DropLayer, Erase,
        OpenSession, RenewSession, MarkSession, SendLetter, NoteUnfinished, ForgetSession,
    ];
}
