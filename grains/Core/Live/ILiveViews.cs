using VmoCluster.Core.Store;

namespace VmoCluster.Core.Live;

/// <summary>What live parents show, as far as this silo may show it at present. Thread-safe; a view may end at any moment.</summary>
public interface ILiveViews
{
    /// <summary>A view that is valid and held under this session.</summary>
    bool TryGet(Koid parent, ulong extent, ulong session, out LiveView view);

    /// <summary>Blobs of a layer have gone, because it was folded into another: what names its pages is to be put together anew.</summary>
    void Forget(LayerId gone);

    /// <summary>Whether that was forgotten here of late: nothing that is kept names the layer any more.</summary>
    bool HasForgotten(LayerId gone);
}
