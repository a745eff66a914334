using VmoCluster.Messages;

namespace VmoCluster.Grains;

/// <summary>What silos ask of a VMO among themselves; no client may call it.</summary>
[Alias("vmo.IVmoUpkeepGrain"), GrainInterfaceType("vmo.upkeep")]
public interface IVmoUpkeepGrain : IGrainWithIntegerKey
{
    /// <summary>
    /// Opens the VMO, so that what time or an end left to do is done, and notes it as unfinished work of its present silo where some is left.
    /// True: it is in hands, or there is nothing; the caller may strike it off its list. False where the silos do not go by the same lineage of the store, too: it
    /// may be in hands only in what the store has lost.
    /// </summary>
    [Alias("Wake")]
    ValueTask<bool> WakeAsync(long lineage);

    /// <summary>
    /// Another VMO of the family tells something. Ok when it is durable, or when the one told is gone and that is as good. ShouldWait where the silos do not go
    /// by the same lineage of the store: one of the two may know what is lost.
    /// </summary>
    [Alias("Tell")]
    ValueTask<Outcome> TellAsync(KinMessage message, long lineage);

    /// <summary>A silo asks to hold what this VMO's own layers show in an extent.</summary>
    [Alias("Grant")]
    ValueTask<GrantReply> GrantAsync(GrantCall call, IGrantHolder holder);

    /// <summary>
    /// A silo asks for a frozen layer to be pinned for children of a live descendant, and to hold the whole VMO. ShouldWait as for <see cref="TellAsync"/>.
    /// </summary>
    [Alias("Pin")]
    ValueTask<PinReply> PinAsync(PinCall call, IGrantHolder holder, long lineage);

    /// <summary>A slice or reference of this VMO hands on a call.</summary>
    [Alias("Forward")]
    ValueTask<ForwardReply> ForwardAsync(ForwardCall forward);

    /// <summary>This VMO if it still lives, else the nearest of its ancestors that does; None if none does (HEAD's re-homing).</summary>
    [Alias("Nearest")]
    ValueTask<Koid> NearestLivingAsync();
}
