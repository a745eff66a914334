using VmoCluster.Core.Family;

namespace VmoCluster.Core.Live;

/// <summary>
/// What a live parent shows in one extent, through all of its ancestors, put together out of grants that were all valid in one moment. True
/// as long as none of them is recalled: then reading it is a read of all ancestors at once.
/// </summary>
public sealed class LiveView : IGates
{
    private readonly IReadOnlyList<Grant> _grants;
    private volatile bool _isValid = true;

    private LiveView(IReadOnlyList<Grant> grants, FrozenExtent shown, ulong session) => (_grants, Shown, Session) = (grants, shown, session);

    /// <summary>What it shows.</summary>
    public FrozenExtent Shown { get; }

    /// <summary>The session under which all of it is held.</summary>
    public ulong Session { get; }

    public bool IsValid => _isValid;

    /// <summary>
    /// Puts a view of an extent together. The grants of each level in the order of descent, each level's for the 256 pages that the level above
    /// asks about. Null: one of them was recalled meanwhile.
    /// </summary>
    public static LiveView? Compose(ulong extent, IReadOnlyList<IReadOnlyList<Grant>> levels, ulong session)
    {
        var builder = new FrozenExtent.Builder();
        for (var i = 0; i < Limits.ExtentPages; i++)
        {
            var page = (extent * Limits.ExtentPages) + (ulong)i;
            foreach (var level in levels)
            {
                if (level.FirstOrDefault(grant => grant.Extent == page / Limits.ExtentPages) is not { } grant || page >= grant.Size)
                    break;
                var shown = grant.Shown[page];
                if (!shown.IsNothing)
                {
                    builder.Set(i, shown);
                    break;
                }

                page += grant.ParentOffset;
                if (page >= grant.ParentEnd)
                    break;
            }
        }

        var grants = levels.SelectMany(level => level).ToList();
        var view = new LiveView(grants, builder.Build(), session);
        foreach (var grant in grants)
        {
            if (!grant.TryAdd(view))
                view.Invalidate();
        }

        return view.IsValid ? view : null;
    }

    internal void Invalidate() => _isValid = false;

    /// <summary>Enters the gates of all it is made of: until they are left no ancestor changes what it shows. False: it is not true any more.</summary>
    public bool TryEnter() => GateRow.TryEnter(_grants);

    /// <inheritdoc/>
    public void Leave() => GateRow.Leave(_grants);
}
