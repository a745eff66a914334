using VmoCluster.Core.Family;

namespace VmoCluster.Core.Live;

/// <summary>
/// Finds out what a live parent shows in one extent: says which grants it needs, ancestor by ancestor, takes them, and puts the view together
/// when nothing more is asked further up.
/// </summary>
public sealed class LiveWalk
{
    private readonly List<Grant> _grants = [];
    private readonly FrozenExtent.Builder _shown = new();

    // The pages that no level has decided yet: which they are of the extent, and which of the VMO that is asked next. Both rise.
    private readonly int[] _open = new int[Limits.ExtentPages];
    private readonly ulong[] _pages = new ulong[Limits.ExtentPages];
    private int _count = Limits.ExtentPages;

    /// <param name="parent">The live parent.</param>
    /// <param name="extent">Which of its extents.</param>
    public LiveWalk(Koid parent, ulong extent)
    {
        for (var i = 0; i < _count; i++)
            (_open[i], _pages[i]) = (i, (extent * Limits.ExtentPages) + (ulong)i);
        Needs = [(parent, extent)];
    }

    /// <summary>Grants needed next; empty: <see cref="Compose"/>.</summary>
    public IReadOnlyList<(Koid Vmo, ulong Extent)> Needs { get; private set; }

    /// <summary>The last needs, met.</summary>
    public void Take(IReadOnlyList<Grant> grants)
    {
        _grants.AddRange(grants.Distinct());
        var left = 0;
        for (int i = 0, at = 0; i < _count; i++)
        {
            var page = _pages[i];
            // The needs were made of these pages, and in their order.
            while (!grants[at].Area.Shows(page / Limits.ExtentPages))
                at++;
            var grant = grants[at];
            if (page >= grant.Size)
                continue;
            if (grant.Shown[page] is { IsNothing: false } shown)
                _shown.Set(_open[i], shown);
            else if (!grant.Parent.IsNone && page + grant.ParentOffset < grant.ParentEnd)
                (_open[left], _pages[left++]) = (_open[i], page + grant.ParentOffset);
        }

        _count = left;
        if (_count == 0)
        {
            Needs = [];
            return;
        }

        var (first, last) = (_pages[0] / Limits.ExtentPages, _pages[_count - 1] / Limits.ExtentPages);
        Needs = first == last ? [(grants[0].Parent, first)] : [(grants[0].Parent, first), (grants[0].Parent, last)];
    }

    /// <summary>The view; null: something was recalled meanwhile, walk again.</summary>
    public LiveView? Compose(ulong session) => LiveView.Of(_grants, _shown.Build(), session);
}
