using VmoCluster.Core.Live;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>What the core asks of its shell. Each is done once; those with a result feed it back as an input.</summary>
public abstract record VmoEffect;

/// <summary>Answers a call. The reply is the message its call expects.</summary>
/// <param name="Ticket">Whose.</param>
/// <param name="Reply">What.</param>
/// <param name="FromMemory">True: true only while the silo's lease runs, which is checked in this turn. False: the store has proved it.</param>
public sealed record Answer(Ticket Ticket, object Reply, bool FromMemory) : VmoEffect;

/// <summary>Load an extent's leaves. Result: <see cref="LeavesLoaded"/>.</summary>
public sealed record LoadLeaves(LayerId Layer, ulong Extent, IReadOnlyList<ReadOnlyMemory<byte>> Names) : VmoEffect;

/// <summary>Load all leaves of a layer. Result: <see cref="LeavesScanned"/>.</summary>
public sealed record ScanLeaves(LayerId Layer) : VmoEffect
{
    /// <summary>What the core does when they are here; null: they are the top's.</summary>
    internal Action<IReadOnlyList<StoreField>, Outcome>? Then { get; init; }
}

/// <summary>Count the fields of a layer. Result: <see cref="FieldsCounted"/>.</summary>
public sealed record CountFields(LayerId Layer) : VmoEffect;

/// <summary>Find out what a frozen layer shows in an extent. Result: <see cref="FrozenLoaded"/>.</summary>
public sealed record LoadFrozen(LayerId Layer, ulong Extent) : VmoEffect;

/// <summary>Put together what a live parent shows in an extent. Result: <see cref="LiveLoaded"/>.</summary>
public sealed record LoadLive(Koid Parent, ulong Extent) : VmoEffect;

/// <summary>Ask live ancestors for pins and for the grant of the whole of them (<see cref="MomentWalk"/>). Result: <see cref="Gathered"/>.</summary>
/// <param name="First">The nearest.</param>
/// <param name="Lineage">Those beyond it that the VMO names.</param>
/// <param name="Call">What each is asked.</param>
/// <param name="Known">What was found before.</param>
public sealed record Gather(Koid First, Family.Lineage Lineage, PinCall Call, IReadOnlyList<LiveLevel> Known) : VmoEffect;

/// <summary>Take back what silos hold of this VMO. Result: <see cref="RecallDone"/>.</summary>
/// <param name="Sessions">The silos' sessions; one that is dead holds nothing.</param>
/// <param name="Areas">Which areas; null for all.</param>
public sealed record Recall(IReadOnlyList<ulong> Sessions, IReadOnlyCollection<GrantArea>? Areas) : VmoEffect;

/// <summary>Ask which of some silos' sessions are dead. Result: <see cref="DeadFound"/>.</summary>
public sealed record FindDead(IReadOnlyList<ulong> Sessions) : VmoEffect;

/// <summary>Read fields of a frozen layer. Result: <see cref="FieldsLoaded"/>.</summary>
public sealed record LoadFields(LayerId Layer, IReadOnlyList<ReadOnlyMemory<byte>> Names) : VmoEffect
{
    /// <summary>What the core does when they are here; null: there is no such layer.</summary>
    internal Action<StoredHash?, Outcome>? Then { get; init; }
}

/// <summary>Read bytes of blobs. Result: <see cref="BlobsLoaded"/>.</summary>
public sealed record LoadBlobs(IReadOnlyList<BlobRead> Reads) : VmoEffect
{
    /// <summary>What the core does when they are here.</summary>
    internal Action<IReadOnlyList<bool>, Outcome>? Then { get; init; }
}

/// <summary>Send a commit; one at a time. Result: <see cref="CommitDone"/>.</summary>
/// <param name="Commit">What to send.</param>
/// <param name="Waiting">Those who wait for it. To be looked at in the turn of the effect: later they may have been answered.</param>
/// <param name="Gates">What the commit relies on, entered; left when the commit can no longer take effect, or has.</param>
public sealed record SendCommit(StoreCommit Commit, IEnumerable<Ticket> Waiting, IReadOnlyCollection<IGates> Gates) : VmoEffect;

/// <summary>Settle the commit in flight, which expects this seq, after a pause. Result: <see cref="SettleDone"/>.</summary>
public sealed record SendSettle(CommitTarget Target, LayerId Layer, ulong Seq, int AfterMs) : VmoEffect;

/// <summary>Note the VMO in the session's list of unfinished work. Result: <see cref="UnfinishedNoted"/>.</summary>
public sealed record NoteUnfinished : VmoEffect;

/// <summary>Take the VMO off that list. No result.</summary>
public sealed record ClearUnfinished : VmoEffect;

/// <summary>Unlink blobs of a layer that no slot names. Result: <see cref="BlobsUnlinked"/>.</summary>
public sealed record UnlinkBlobs(LayerId Layer, IReadOnlyList<BlobId> Blobs) : VmoEffect
{
    /// <summary>With them all is gone that owners before may have left.</summary>
    public bool AreFormersDone { get; init; }

    /// <summary>What the core does then; null: nobody waits for it.</summary>
    internal Action<Outcome>? Then { get; init; }
}

/// <summary>Remove empty leaves from the layer; nothing else is in flight meanwhile. Result: <see cref="MarksRemoved"/>.</summary>
public sealed record RemoveMarks(IReadOnlyList<ReadOnlyMemory<byte>> Names) : VmoEffect;

/// <summary>
/// Remove a frozen layer that nobody looks through any more, and set a field of the layer that named it, in one script; its blobs are gone.
/// Result: <see cref="LayerDropped"/>.
/// </summary>
public sealed record DropLayer(LayerId Layer, LayerId Holder, StoreField Field) : VmoEffect
{
    /// <summary>What the core does then; false: it is not known whether it was done.</summary>
    internal Action<bool>? Then { get; init; }
}

/// <summary>Write the tombstone, remove the layers and the record. Result: <see cref="Erased"/>.</summary>
public sealed record Erase(IReadOnlyList<LayerId> Layers, IReadOnlyList<StoreField> Tombstone) : VmoEffect;

/// <summary>Bring children into being, each only if nothing stands there. Result: <see cref="ChildrenCreated"/>.</summary>
public sealed record CreateChildren(IReadOnlyList<VmoCreation> Children) : VmoEffect;

/// <summary>Tell another VMO of the family something; it may be told twice. Result: <see cref="KinTold"/>.</summary>
public sealed record TellKin(Koid Target, KinMessage Message) : VmoEffect;

/// <summary>Have the VMO whose pages this one shows do a call. Result: <see cref="ForwardDone"/>.</summary>
public sealed record SendForward : VmoEffect
{
    internal SendForward(Koid target, ForwardCall call, AliasDesk.Forwarded from) => (Target, Call, From) = (target, call, from);

    public Koid Target { get; }

    public ForwardCall Call { get; }

    /// <summary>Whose call it is.</summary>
    internal AliasDesk.Forwarded From { get; }
}

/// <summary>The activation has come to its end: the VMO is erased, another has it, or memory may be wrong.</summary>
/// <param name="Reason">For the log.</param>
/// <param name="Release">Whether the VMO may be given up in the store.</param>
public sealed record EndActivation(string Reason, bool Release) : VmoEffect;
