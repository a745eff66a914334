using VmoCluster.Core.Contents;
using VmoCluster.Core.Family;
using VmoCluster.Core.Live;

namespace VmoCluster.Core.Machine;

/// <summary>What all VMOs of a silo share.</summary>
/// <param name="Pages">Pages in memory.</param>
/// <param name="Budget">The budget of maps.</param>
/// <param name="Frozen">What frozen layers show.</param>
/// <param name="Live">What live parents show.</param>
public sealed record SiloMemory(IPageCache Pages, IMapBudget Budget, IFrozenMaps Frozen, ILiveViews Live);
