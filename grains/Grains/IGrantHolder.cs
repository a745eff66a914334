using Orleans.Concurrency;

namespace VmoCluster.Grains;

/// <summary>
/// A silo that holds grants, as the VMOs that gave them reach it. Not a grain: a recall never waits behind a turn or a fault.
/// </summary>
[Alias("vmo.IGrantHolder"), GrainInterfaceType("vmo.grant-holder")]
public interface IGrantHolder : IGrainObserver
{
    /// <summary>
    /// Takes back areas of a VMO (<see cref="Core.Live.GrantArea"/>), or all, that are held under a session. Done when nothing is shown through them on that silo
    /// and no commit relies on them; one that takes long does not hold up others. Refused after a second, and when the silo's session is another: what the one before has sent may still be on its way.
    /// </summary>
    [Alias("Recall"), AlwaysInterleave]
    Task RecallAsync(Koid vmo, ulong holder, ulong[]? areas);
}
