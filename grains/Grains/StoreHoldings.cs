using VmoCluster.Core.Live;
using VmoCluster.Core.Store;

namespace VmoCluster.Grains;

/// <summary>
/// Pages by the blob they stand in, maps of frozen layers, which blobs have gone, and numbers that nobody has had. Grants end with the session they were given to.
/// </summary>
public sealed class StoreHoldings(PageCache pages, FrozenMaps frozen, HeldGrants grants, KoidSource koids) : IStoreHoldings
{
    /// <inheritdoc/>
    public void Forget()
    {
        frozen.ForgetAll();
        grants.ForgetGoneOfAll();
        pages.Clear();
        koids.Forget();
    }
}
