namespace VmoCluster.Core.Store;

/// <summary>This silo's proof of being alive. Checked in the turn that makes an answer or a grant, after its last await.</summary>
public interface ISiloSession
{
    /// <summary>The present session; 0 while there is none.</summary>
    ulong Id { get; }

    /// <summary>Whether the lease of this session still runs, by the silo's own monotonic clock. False once the session was lost or replaced.</summary>
    bool IsValid(ulong session);

    /// <summary>The lineage of the store (<see cref="StoreCondition"/>) that what is known under this session rests on; null when it is not valid.</summary>
    long? LineageOf(ulong session);
}

/// <summary>What came of asking for a VMO.</summary>
public enum AcquireKind : byte
{
    /// <summary>This activation owns it.</summary>
    Acquired,

    /// <summary>Another live session has it and was asked to give it up, or this silo has no session at present. Try again after the hint.</summary>
    Wait,

    /// <summary>There is no such VMO.</summary>
    Nothing,

    /// <summary>It was destroyed; the tombstone is given.</summary>
    Tombstone,
}

/// <summary>An answer to an acquisition.</summary>
/// <param name="Kind">What came of it.</param>
/// <param name="Owner">The owner written, when acquired.</param>
/// <param name="Previous">The owner before, when acquired.</param>
/// <param name="Record">The record as loaded after the owner was written, or the tombstone.</param>
/// <param name="RetryAfterMs">When to come back, when it is Wait.</param>
public sealed record Acquisition(AcquireKind Kind, Owner Owner = default, Owner Previous = default, StoredHash? Record = null, int RetryAfterMs = 0);

/// <summary>An activation that owns a VMO, as the silo's ownership table knows it.</summary>
public interface IOwningActivation
{
    /// <summary>
    /// Gives the VMO up: from the return of this call on, nothing is answered from memory or committed by this activation. Called at most
    /// once, from any thread, when a letter asks for it, the session is lost, or a newer activation on this silo takes over.
    /// </summary>
    Task GiveUpAsync(string reason);

    /// <summary>
    /// Hands the VMO over in good order, because this silo leaves: what is on its way comes to its end, the VMO is released, and the activation goes
    /// where it is served. From any thread.
    /// </summary>
    Task HandOverAsync(string reason);
}

/// <summary>
/// Who owns which VMO on this silo, and how to come to own one: own session, released, or a dead session's: taken at once; another live
/// session's: a letter, and Wait until it is acknowledged or the session is dead.
/// </summary>
public interface IOwnership
{
    /// <summary>Tries to own a VMO. Throws <see cref="StoreException"/> when the store does not answer.</summary>
    ValueTask<Acquisition> AcquireAsync(Koid vmo, IOwningActivation activation, CancellationToken cancellation);

    /// <summary>Enters an activation that has just created its VMO. Gives back the owner to create it under; null: no session at present.</summary>
    Owner? EnterNew(Koid vmo, IOwningActivation activation);

    /// <summary>Leaves the table, and releases the VMO in the store if it is still this owner's and the session lives. Never throws.</summary>
    /// <param name="vmo">The VMO.</param>
    /// <param name="owner">The owner that leaves.</param>
    /// <param name="activation">Who stands in the table.</param>
    /// <param name="leftBy">Null: it is not released, for what this owner has sent may still be on its way. Else as for <see cref="Owner.Released"/>.</param>
    ValueTask LeaveAsync(Koid vmo, Owner owner, IOwningActivation activation, uint? leftBy);
}
