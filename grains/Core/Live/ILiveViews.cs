using VmoCluster.Core.Store;

namespace VmoCluster.Core.Live;

/// <summary>What live parents show, as far as this silo may show it at present. Thread-safe; a view may end at any moment.</summary>
public interface ILiveViews
{
    /// <summary>A view that is valid and held under this session.</summary>
    bool TryGet(Koid parent, ulong extent, ulong session, out LiveView view);

    /// <summary>A blob has gone: what names pages of its layer is to be put together anew, by answers that are asked for from now on.</summary>
    void Forget(GoneBlob gone);

    /// <summary>Whether that was forgotten here of late: nothing that is kept names the blob any more.</summary>
    bool HasForgotten(GoneBlob gone);
}
