using VmoCluster.Core.Family;
using VmoCluster.Core.Live;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>What can happen to a VMO: a call, or the result of an effect.</summary>
public abstract record VmoInput;

/// <summary>Joined reads.</summary>
public sealed record ReadInput(Ticket Ticket, ReadCalls Reads) : VmoInput;

/// <summary>One piece of a large read.</summary>
public sealed record ReadPieceInput(Ticket Ticket, ReadPieceCall Piece) : VmoInput;

/// <summary>Joined writes.</summary>
public sealed record WriteInput(Ticket Ticket, WriteCalls Writes) : VmoInput;

/// <summary>One piece of a large write.</summary>
public sealed record WritePieceInput(Ticket Ticket, WritePieceCall Piece) : VmoInput;

/// <summary>Any other call.</summary>
public sealed record CallInput(Ticket Ticket, VmoCall Call) : VmoInput;

/// <summary>Time has passed.</summary>
public sealed record TickInput : VmoInput
{
    public static TickInput Value { get; } = new();
}

/// <summary>The leaves asked for by <see cref="LoadLeaves"/>; or why they did not come.</summary>
public sealed record LeavesLoaded(LoadLeaves Load, IReadOnlyList<StoreField> Fields, Outcome Outcome) : VmoInput;

/// <summary>All leaves of the layer, asked for by <see cref="ScanLeaves"/>.</summary>
public sealed record LeavesScanned(ScanLeaves Scan, IReadOnlyList<StoreField> Fields, Outcome Outcome) : VmoInput;

/// <summary>How many fields a layer has.</summary>
public sealed record FieldsCounted(CountFields Count, long Fields, Outcome Outcome) : VmoInput;

/// <summary>The bytes asked for by <see cref="LoadBlobs"/> are in their destinations, or not, one by one.</summary>
public sealed record BlobsLoaded(LoadBlobs Load, IReadOnlyList<bool> Found, Outcome Outcome) : VmoInput;

/// <summary>The commit in flight has come to an outcome.</summary>
public sealed record CommitDone(CommitOutcome Outcome) : VmoInput;

/// <summary>The commit whose outcome was unknown is settled, or is to be settled again.</summary>
public sealed record SettleDone(Settlement Settlement) : VmoInput;

/// <summary>The VMO stands in the session's list of unfinished work.</summary>
public sealed record UnfinishedNoted(Outcome Outcome) : VmoInput;

/// <summary>Blobs were unlinked, or not.</summary>
public sealed record BlobsUnlinked(UnlinkBlobs Unlink, Outcome Outcome) : VmoInput;

/// <summary>Marks were removed; false: another owner has the VMO, or nobody knows.</summary>
public sealed record MarksRemoved(RemoveMarks Remove, bool Done) : VmoInput;

/// <summary>The VMO is gone from the store; false: another owner has it, or the store did not answer.</summary>
public sealed record Erased(bool Done) : VmoInput;

/// <summary>What a frozen layer shows; or why that is not known.</summary>
public sealed record FrozenLoaded(LoadFrozen Load, FrozenExtent? Shown, Outcome Outcome) : VmoInput;

/// <summary>The head of a layer, what lies under it and what it had still to lose; null: there is no such layer.</summary>
public sealed record FieldsLoaded(LoadFields Load, StoredHash? Found, Outcome Outcome) : VmoInput;

/// <summary>All children asked for stand in the store; or why not: some of them may.</summary>
public sealed record ChildrenCreated(CreateChildren Create, Outcome Outcome) : VmoInput;

/// <summary>A frozen layer is gone from the store; false: it is not known to be.</summary>
public sealed record LayerDropped(DropLayer Drop, bool Done) : VmoInput;

/// <summary>Another VMO of the family has been told; or why not.</summary>
public sealed record KinTold(TellKin Tell, Outcome Outcome) : VmoInput;

/// <summary>Another VMO of the family tells something.</summary>
public sealed record KinInput(Ticket Ticket, KinMessage Message) : VmoInput;

/// <summary>What a live parent shows; or why that is not known.</summary>
public sealed record LiveLoaded(LoadLive Load, LiveView? View, Outcome Outcome) : VmoInput;

/// <summary>Live ancestors have answered; or one has not, and those that are pinned are named. Strays were asked, too, and are no ancestors.</summary>
public sealed record Gathered(Gather Gather, IReadOnlyList<LiveLevel> Levels, IReadOnlyList<LiveLevel> Strays, Outcome Outcome) : VmoInput;

/// <summary>A silo asks for a pin and for the whole VMO.</summary>
public sealed record PinInput(Ticket Ticket, PinCall Call) : VmoInput;

/// <summary>A silo asks to hold an extent.</summary>
public sealed record GrantInput(Ticket Ticket, GrantCall Call) : VmoInput;

/// <summary>All silos asked have given back what they held; or not all.</summary>
public sealed record RecallDone(Recall Recall, Outcome Outcome) : VmoInput;

/// <summary>Those of the sessions that are dead, for ever; none also where nobody could be asked.</summary>
public sealed record DeadFound(FindDead Find, IReadOnlyList<ulong> Dead) : VmoInput;

/// <summary>The answer to a call that was handed on; one that did not get through, or about which nothing is known, is Io.</summary>
public sealed record ForwardDone(SendForward Forward, ForwardReply Reply) : VmoInput;
