namespace VmoCluster.Core.Contents;

/// <summary>Bytes of slot maps that all VMOs of a silo hold in memory. Over it, a VMO gives back what it has not used of late.</summary>
public interface IMapBudget
{
    /// <summary>Whether the silo's maps are above their limit.</summary>
    bool IsOver { get; }

    /// <summary>Counts bytes taken, or given back when negative.</summary>
    void Add(long taken);
}
