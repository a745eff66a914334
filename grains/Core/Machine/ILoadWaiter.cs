using VmoCluster.Core.Contents;

namespace VmoCluster.Core.Machine;

/// <summary>Something that cannot go on before leaves or pages are in memory.</summary>
internal interface ILoadWaiter
{
    /// <summary>Loads still to come.</summary>
    int LoadsPending { get; set; }

    /// <summary>A page has come; null: its blob is not there.</summary>
    void PageArrived(in PageKey key, byte[]? page);

    /// <summary>A load did not succeed.</summary>
    void LoadFailed(Outcome outcome);

    /// <summary>All loads are done, one way or the other.</summary>
    void Resume();
}
