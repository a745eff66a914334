using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>What frozen layers show, in memory, shared by all VMOs of a silo. Thread-safe; it may forget at any time.</summary>
public interface IFrozenMaps
{
    /// <summary>What a layer shows in an extent, if it is here.</summary>
    bool TryGet(LayerId layer, ulong extent, out FrozenExtent shown);

    /// <summary>
    /// Forgets all that names pages of a layer: blobs of it have gone, because the layer was folded into another. What is loaded from now on shows
    /// the same and names the blobs of today.
    /// </summary>
    void Forget(LayerId gone);
}
