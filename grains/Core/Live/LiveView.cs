using VmoCluster.Core.Family;

namespace VmoCluster.Core.Live;

/// <summary>
/// What a live parent shows in one extent, through all of its ancestors, put together out of grants that were all valid in one moment. True
/// as long as none of them is recalled: then reading it is a read of all ancestors at once. It has one gate, whatever the number of ancestors:
/// a recall of any of the grants closes it and waits for those inside.
/// </summary>
public sealed class LiveView : IGates
{
    private readonly Gate _gate = new();

    // Set where it is looked at, on any thread; the holder of its grants takes it into account now and then.
    private volatile bool _isUsed;
    private long _seen;

    // Each of its grants has it in a list.
    private readonly int _grantsBytes;

    private LiveView(FrozenExtent shown, ulong session, int grants) => (Shown, Session, _grantsBytes) = (shown, session, 32 * grants);

    /// <summary>What it shows.</summary>
    public FrozenExtent Shown { get; }

    /// <summary>The session under which all of it is held.</summary>
    public ulong Session { get; }

    public bool IsValid => !_gate.IsClosed;

    /// <summary>Bytes of memory it takes, about.</summary>
    public int MemoryBytes => 400 + Shown.MemoryBytes + _grantsBytes;

    /// <summary>Where its holder has it, who guards this; null: nowhere yet.</summary>
    internal (Koid Parent, ulong Extent)? Key { get; set; }

    /// <summary>A view of what grants show together. Null: one of them was recalled meanwhile.</summary>
    public static LiveView? Of(IReadOnlyCollection<Grant> grants, FrozenExtent shown, ulong session)
    {
        var view = new LiveView(shown, session, grants.Count);
        var self = new WeakReference<LiveView>(view);
        foreach (var grant in grants)
        {
            if (grant.TryAdd(view._gate, self))
                continue;
            view._gate.CloseAsync();
            return null;
        }

        return view.IsValid ? view : null;
    }

    /// <summary>It is looked at.</summary>
    internal void Touch()
    {
        if (!_isUsed)
            _isUsed = true;
    }

    /// <summary>When it was last looked at, by its holder's count: now, if it was since <see cref="See"/>.</summary>
    internal long UsedAt(long now) => _isUsed ? now : _seen;

    /// <summary>Takes note of when it was last looked at.</summary>
    internal void See(long now) => (_seen, _isUsed) = (UsedAt(now), false);

    /// <summary>It is put, or asked for, at this count of its holder.</summary>
    internal void SeenAt(long at) => _seen = at;

    /// <summary>Ends it: whoever is inside is waited for by a recall of its grants, which know of it as long as that.</summary>
    internal void End() => _gate.CloseAsync();

    /// <summary>Enters its gate: until it is left no ancestor changes what it shows. False: it is not true any more.</summary>
    public bool TryEnter() => _gate.TryEnter();

    /// <inheritdoc/>
    public void Leave() => _gate.Leave();
}
