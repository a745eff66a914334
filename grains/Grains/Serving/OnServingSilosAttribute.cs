using Orleans.Placement;

namespace VmoCluster.Grains.Serving;

/// <summary>
/// Activations are put on silos that can own VMOs. A silo that the store cannot be reached from is as healthy a member as any to Orleans, and the
/// emptiest: without this it would be given its VMOs again and again.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class OnServingSilosAttribute() : PlacementFilterAttribute(new OnServingSilosStrategy());
