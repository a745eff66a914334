namespace VmoCluster.Core.Store;

/// <summary>What a silo holds in memory of what its store has, besides the VMOs that it owns.</summary>
public interface IStoreHoldings
{
    /// <summary>
    /// The store has lost its latest past: all of it goes, and what is being read while this is called is not kept. Names and numbers that were
    /// given out in the lost time may be given out again, for something else.
    /// </summary>
    void Forget();
}
