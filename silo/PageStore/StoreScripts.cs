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
        Allocate = StoreScript.Read("allocate", plain, isGuarded: true);
        Bind = StoreScript.Read("bind", plain, isGuarded: true);
        Commit = StoreScript.Read("commit", plain);
        CommitWhenFull = StoreScript.Read("commit", whenFull);
        Settle = StoreScript.Read("settle", whenFull);
        Create = StoreScript.Read("create", plain, isGuarded: true);
        TakeOver = StoreScript.Read("takeover", whenFull);
        Release = StoreScript.Read("release", whenFull);
        Remove = StoreScript.Read("remove", whenFull);
        Unlink = StoreScript.Read("unlink", whenFull);
        CreatePromised = StoreScript.Read("create", whenFull, isGuarded: true);
        DropLayer = StoreScript.Read("drop-layer", whenFull);
        Erase = StoreScript.Read("erase", whenFull);
        OpenSession = StoreScript.Read("session-open", whenFull, isGuarded: true);
        RenewSession = StoreScript.Read("session-renew", whenFull, isGuarded: true);
        MarkSession = StoreScript.Read("session-mark", whenFull, isGuarded: true);
        SendLetter = StoreScript.Read("session-letter", whenFull, isGuarded: true);
        NoteUnfinished = StoreScript.Read("session-note", whenFull, isGuarded: true);
        ForgetSession = StoreScript.Read("session-forget", whenFull, isGuarded: true);
    }

    public StoreScript Identify { get; }

    public StoreScript Allocate { get; }

    public StoreScript Bind { get; }

    public StoreScript Commit { get; }

    public StoreScript CommitWhenFull { get; }

    public StoreScript Settle { get; }

    public StoreScript Create { get; }

    public StoreScript TakeOver { get; }

    public StoreScript Release { get; }

    public StoreScript Remove { get; }

    public StoreScript Unlink { get; }

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
        Identify, Allocate, Bind, Commit, CommitWhenFull, Settle, Create, CreatePromised, TakeOver, Release, Remove, Unlink, DropLayer, Erase,
        OpenSession, RenewSession, MarkSession, SendLetter, NoteUnfinished, ForgetSession,
    ];
}
