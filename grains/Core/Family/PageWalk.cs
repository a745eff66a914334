using VmoCluster.Core.Contents;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>What one layer was asked about one page, and what it said.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Page">The page's index there.</param>
/// <param name="Answer">own, zero, through, absent, frozen (bytes of a frozen layer), or parent: the live parent was asked.</param>
public readonly record struct PageStep(LayerId Layer, ulong Page, string Answer);

/// <summary>
/// Goes down from a VMO's top to the layer that decides what one page shows, in the order in which the page is resolved, and notes every
/// answer on the way.
/// </summary>
public sealed class PageWalk
{
    // Layers that may still change: the VMO's top, and those of live parents.
    private readonly HashSet<LayerId> _tops;
    private readonly List<PageStep> _steps = [];

    // Where to ask next, the nearest last.
    private readonly Stack<(LayerId Layer, ulong Page)> _open = new();

    public PageWalk(LayerId top, ulong page)
    {
        _tops = [top];
        _open.Push((top, page));
    }

    /// <summary>
    /// The layer and the page to be taken next; null when the page is decided, or the VMO and all frozen below it say nothing: it is its live
    /// parent's, or zero.
    /// </summary>
    public (LayerId Layer, ulong Page)? Need => _open.TryPeek(out var next) ? next : null;

    /// <summary>The levels asked so far, from the top down.</summary>
    public IReadOnlyList<PageStep> Steps => _steps;

    /// <summary>What the page shows, when nothing more is needed.</summary>
    public Shown Found { get; private set; }

    /// <summary>Nobody said anything so far: on with the live parent.</summary>
    public void Follow(LayerId top, ulong page)
    {
        _steps[^1] = _steps[^1] with { Answer = "parent" };
        _tops.Add(top);
        _open.Push((top, page));
    }

    /// <summary>The extent of the layer in which the needed page lies.</summary>
    public void Take(FrozenPart part)
    {
        var (layer, page) = _open.Pop();
        var shown = part.At((int)(page % Limits.ExtentPages), out var isThrough);
        _steps.Add(new(layer, page, shown.Slot.State switch
        {
            SlotState.Data => _tops.Contains(layer) ? "own" : "frozen",
            SlotState.Zero => "zero",
            _ => isThrough ? "through" : "absent",
        }));
        if (!shown.IsNothing)
        {
            Found = shown;
            _open.Clear();
            return;
        }

        if (page >= part.Low)
            return;
        if (!isThrough && part.Below.Under != 0)
        {
            _open.Push((new(layer.Home, part.Below.Under), page));
            return;
        }

        foreach (var item in part.Below.Bases.Reverse())
        {
            if (item.TryMap(page, out var there))
                _open.Push((item.Layer, there));
        }
    }
}
