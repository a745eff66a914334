using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>
/// A window on a frozen layer that lies under a VMO's own stack. Page p of the VMO is page p + <paramref name="Offset"/> of the layer, as
/// long as that is below <paramref name="Limit"/>; beyond, the window shows nothing. A window never grows.
/// </summary>
/// <param name="Layer">The frozen layer; what it shows includes all that lies under it.</param>
/// <param name="Offset">Pages.</param>
/// <param name="Limit">Pages of the layer, exclusive.</param>
public readonly record struct BaseRef(LayerId Layer, ulong Offset, ulong Limit)
{
    /// <summary>The window without what the VMO's pages from <paramref name="page"/> on would show.</summary>
    public BaseRef Until(ulong page) => page + Offset < page ? this : this with { Limit = Math.Min(Limit, page + Offset) };

    /// <summary>The layer's page that a page of the VMO is; false outside the window.</summary>
    public bool TryMap(ulong page, out ulong there)
    {
        there = page + Offset;
        return there >= page && there < Limit;
    }
}
