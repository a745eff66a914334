using VmoCluster.Messages;

namespace VmoCluster;

/// <summary>
/// Where handles are issued, duplicated, replaced, renewed, closed and revoked. Sharded: by koid for a VMO's handles, by client for
/// creation. It decides what needs no state (forms, quotas, expiry), audits, and keeps nothing that could disagree with the VMO's record:
/// what it decides becomes durable as a change in the VMO's own queue.
/// </summary>
[Alias("vmo.IHandleRegistryGrain"), GrainInterfaceType("vmo.handle-registry")]
public interface IHandleRegistryGrain : IGrainWithIntegerKey
{
    /// <summary>Creates a VMO and issues its first handle.</summary>
    [Alias("Create")]
    ValueTask<CreateReply> CreateAsync(CreateCall create, CancellationToken cancellation);

    /// <summary>A call that changes a VMO's handles: duplicate, replace, close, revoke, renew, confirm, operator handle; or that makes others': clone.</summary>
    [Alias("Change")]
    ValueTask<VmoReply> ChangeAsync(Koid koid, VmoCall call, CancellationToken cancellation);

    /// <summary>Walks a family or the store and reports what is wrong, a portion at a time.</summary>
    [Alias("Scrub")]
    ValueTask<ScrubReply> ScrubAsync(ScrubCall scrub, CancellationToken cancellation);

    /// <summary>Lists VMOs, for the operator.</summary>
    [Alias("List")]
    ValueTask<ListReply> ListAsync(ListCall list, CancellationToken cancellation);
}
