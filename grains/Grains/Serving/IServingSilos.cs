namespace VmoCluster.Grains.Serving;

/// <summary>Which silos can own a VMO at present, as far as this one knows.</summary>
public interface IServingSilos
{
    /// <summary>Whether the silo's session in the store has moved of late.</summary>
    bool IsServing(SiloAddress silo);

    /// <summary>Whether this silo hands over what it owns: nothing is opened here any more.</summary>
    bool IsLeaving { get; }
}
