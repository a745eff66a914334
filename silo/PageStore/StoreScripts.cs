namespace VmoCluster.PageStore;

/// <summary>All scripts, for one kind of server.</summary>
internal sealed class StoreScripts(bool isGarnet)
{
    public StoreScript Commit { get; } = StoreScript.Read("commit", whenFull: false);

    public StoreScript CommitWhenFull { get; } = StoreScript.Read("commit", !isGarnet);

    public StoreScript Settle { get; } = StoreScript.Read("settle", !isGarnet);

    public StoreScript Create { get; } = StoreScript.Read("create", whenFull: false);

    public StoreScript TakeOver { get; } = StoreScript.Read("takeover", !isGarnet);

    public StoreScript Release { get; } = StoreScript.Read("release", !isGarnet);

    public StoreScript Remove { get; } = StoreScript.Read("remove", !isGarnet);

    public StoreScript Erase { get; } = StoreScript.Read("erase", !isGarnet);

    public StoreScript OpenSession { get; } = StoreScript.Read("session-open", !isGarnet);

    public StoreScript RenewSession { get; } = StoreScript.Read("session-renew", !isGarnet);

    public StoreScript MarkSession { get; } = StoreScript.Read("session-mark", !isGarnet);

    public StoreScript SendLetter { get; } = StoreScript.Read("session-letter", !isGarnet);

    public StoreScript NoteUnfinished { get; } = StoreScript.Read("session-note", !isGarnet);

    public StoreScript ForgetSession { get; } = StoreScript.Read("session-forget", !isGarnet);
}
