using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace VmoCluster.Grains.Serving;

/// <summary>Leaves out the silos that do not serve; all of them stay where none does, as then it is not they who are in trouble.</summary>
internal sealed class OnServingSilosDirector(IServingSilos serving) : IPlacementFilterDirector
{
    /// <inheritdoc/>
    public IEnumerable<SiloAddress> Filter(PlacementFilterStrategy filterStrategy, PlacementTarget target, IEnumerable<SiloAddress> silos)
    {
        var all = silos as IReadOnlyCollection<SiloAddress> ?? [.. silos];
        var left = all.Where(serving.IsServing).ToArray();
        return left.Length > 0 ? left : all;
    }
}
