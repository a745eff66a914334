using Orleans.Placement;

namespace VmoCluster.Grains.Serving;

/// <summary>See <see cref="OnServingSilosAttribute"/>.</summary>
internal sealed class OnServingSilosStrategy() : PlacementFilterStrategy(order: 0);
