namespace VmoCluster.Core.Live;

/// <summary>
/// Finds out what a live parent shows in one extent: says which grants it needs, ancestor by ancestor, takes them, and puts the view together
/// when nothing more is asked further up.
/// </summary>
public sealed class LiveWalk
{
    private readonly ulong _extent;
    private readonly List<IReadOnlyList<Grant>> _levels = [];
    private ulong _first;

    /// <param name="parent">The live parent.</param>
    /// <param name="extent">Which of its extents.</param>
    public LiveWalk(Koid parent, ulong extent)
    {
        (_extent, _first) = (extent, extent * Limits.ExtentPages);
        Needs = [(parent, extent)];
    }

    /// <summary>Grants needed next; empty: <see cref="Compose"/>.</summary>
    public IReadOnlyList<(Koid Vmo, ulong Extent)> Needs { get; private set; }

    /// <summary>The last needs, met.</summary>
    public void Take(IReadOnlyList<Grant> grants)
    {
        _levels.Add(grants);
        Needs = [];
        var first = grants[0];
        if (first.Parent.IsNone || !AsksOn(grants) || _first + first.ParentOffset + Limits.ExtentPages < first.ParentOffset)
            return;
        _first += first.ParentOffset;
        var last = (_first + Limits.ExtentPages - 1) / Limits.ExtentPages;
        Needs = last == _first / Limits.ExtentPages ? [(first.Parent, last)] : [(first.Parent, last - 1), (first.Parent, last)];
    }

    /// <summary>The view; null: something was recalled meanwhile, walk again.</summary>
    public LiveView? Compose(ulong session) => LiveView.Compose(_extent, _levels, session);

    // Whether some page of this level is decided further up.
    private bool AsksOn(IReadOnlyList<Grant> grants)
    {
        for (var i = 0; i < Limits.ExtentPages; i++)
        {
            var page = _first + (ulong)i;
            if (grants.FirstOrDefault(grant => grant.Extent == page / Limits.ExtentPages) is { } grant && page < grant.Size && grant.Shown[page].IsNothing)
                return true;
        }

        return false;
    }
}
