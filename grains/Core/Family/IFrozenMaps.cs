using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>What frozen layers show, in memory, shared by all VMOs of a silo. Thread-safe; it may forget at any time.</summary>
public interface IFrozenMaps
{
    /// <summary>What a layer shows in an extent, if it is here.</summary>
    bool TryGet(LayerId layer, ulong extent, out FrozenExtent shown);

    /// <summary>
    /// Forgets it: a blob that it names has gone, because the layer was merged into others. What is loaded anew shows the same and names
    /// the blobs of today.
    /// </summary>
    void Forget(LayerId layer, ulong extent);
}
