using VmoCluster.Messages;

namespace VmoCluster.Grains;

/// <summary>The way from one VMO of a family to another.</summary>
public sealed class Kin(IGrainFactory grains)
{
    /// <summary>Tells a VMO something. Ok when it is durable there, or when that VMO is gone and that is as good.</summary>
    /// <param name="target">Whom.</param>
    /// <param name="message">What.</param>
    /// <param name="lineage">The store's, as the one who tells knows it.</param>
    public ValueTask<Outcome> TellAsync(Koid target, KinMessage message, long lineage) => Of(target).TellAsync(message, lineage);

    /// <summary>The VMO if it lives, else the nearest of its ancestors that does.</summary>
    public ValueTask<Koid> NearestLivingAsync(Koid target) => Of(target).NearestLivingAsync();

    /// <summary>Hands a call on to the VMO whose pages the caller shows.</summary>
    public ValueTask<ForwardReply> ForwardAsync(Koid target, ForwardCall forward) => Of(target).ForwardAsync(forward);

    private IVmoUpkeepGrain Of(Koid koid) => grains.GetGrain<IVmoUpkeepGrain>(Placement.VmoKey(koid));
}
