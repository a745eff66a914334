namespace VmoCluster.Chaos.Overload;

/// <summary>A way to make calls on a cluster's VMOs.</summary>
internal interface ICalls : IAsyncDisposable
{
    /// <summary>How many calls are made at once.</summary>
    int AtOnce { get; }

    /// <summary>Reads or writes of so many pages; tells the tally how each ended, and never throws.</summary>
    /// <param name="vmo">Which VMO, from 0.</param>
    /// <param name="page">Which page of it is the first.</param>
    /// <param name="isWrite">Writes; else reads.</param>
    /// <param name="tally">Hears of them.</param>
    /// <returns>Milliseconds after which a refused caller was told to come back; 0 if he was not refused.</returns>
    Task<int> CallAsync(int vmo, int page, bool isWrite, Tally tally);
}
