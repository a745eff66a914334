using VmoCluster.Core.Contents;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>One request in a VMO's queue of changes. It holds the request, never an image: images are built with the batch.</summary>
internal abstract class Change(CallHead head, CommitTarget target, string name, Instant now)
{
    // Who waits. A write waits within its message; a call by itself.
    private List<(WriteGroup Group, int Item)>? _writers;
    private List<Ticket>? _callers;

    public CallHead Head { get; } = head;
    public CommitTarget Target { get; } = target;

    /// <summary>For the event field and for messages.</summary>
    public string Name { get; } = name;
    public ulong Digest { get; init; }

    /// <summary>Made by the VMO itself: no handle, no request id, nobody waits.</summary>
    public bool IsInternal { get; init; }

    /// <summary>Bytes it keeps in the queue.</summary>
    public int Bytes { get; init; }

    /// <summary>After this nobody waits for it, and it is not begun any more.</summary>
    public long DeadlineMs { get; } = now.MonotonicMs + Math.Clamp(head.DeadlineMs, 1, Limits.DeadlineMaxMs);

    /// <summary>Loads it waits for.</summary>
    public int LoadsPending { get; set; }

    /// <summary>What a load for it came to, when it failed.</summary>
    public Outcome LoadFailure { get; set; }

    /// <summary>Pages loaded for it. They never change, so it does not matter how old they are.</summary>
    public Dictionary<PageKey, byte[]> Held { get; } = [];

    /// <summary>Pages whose blob was not there when it was looked for. Once is a race; twice is a loss.</summary>
    public HashSet<PageKey> Missed { get; } = [];

    /// <summary>How often a batch of it was settled as not applied.</summary>
    public int Attempts { get; set; }

    /// <summary>Those who wait, a message once for each of its writes.</summary>
    public IEnumerable<Ticket> Waiting => (_writers ?? []).Select(writer => writer.Group.Ticket).Concat(_callers ?? []);

    public void AddWaiter(WriteGroup group, int item) => (_writers ??= []).Add((group, item));

    public void AddWaiter(Ticket ticket) => (_callers ??= []).Add(ticket);

    /// <summary>Tells all who wait.</summary>
    public void Settle(Outcome outcome, ulong version, VmoReply? reply, List<VmoEffect> effects, bool fromMemory)
    {
        foreach (var (group, item) in _writers ?? [])
        {
            if (group.Settle(item, outcome, version, fromMemory))
                effects.Add(group.ToAnswer());
        }

        foreach (var ticket in _callers ?? [])
            effects.Add(new Answer(ticket, outcome.IsOk ? reply ?? new VmoReply { Version = version } : new VmoReply { Outcome = outcome, Version = version }, fromMemory));
        _writers = null;
        _callers = null;
    }
}

/// <summary>A write.</summary>
internal sealed class WriteChange(CallHead head, ulong offset, ReadOnlyMemory<byte> data, Instant now) : Change(head, CommitTarget.Layer, "write", now)
{
    public ulong Offset { get; } = offset;
    public ReadOnlyMemory<byte> Data { get; } = data;
}

/// <summary>Any other call that changes something.</summary>
internal sealed class CallChange(VmoCall call, CommitTarget target, string name, Instant now) : Change(call.Head, target, name, now)
{
    public VmoCall Call { get; } = call;
}

/// <summary>Ends handles whose time is over.</summary>
internal sealed class ExpireChange(Instant now) : Change(default, CommitTarget.Record, "expire", now);

/// <summary>Notes that receivers of handles were heard of.</summary>
internal sealed class HeardChange(Instant now) : Change(default, CommitTarget.Record, "heard", now)
{
    public HashSet<uint> Handles { get; } = [];

    /// <summary>A batch has it: what is added now would be lost.</summary>
    public bool IsTaken { get; set; }
}

/// <summary>What another VMO of the family has told.</summary>
internal sealed class KinChange(KinMessage message, Instant now) : Change(default, CommitTarget.Record, "kin", now)
{
    public KinMessage Message { get; } = message;
}

/// <summary>A silo's session that will hold grants: in the record before the first. Or those that are dead and can hold none any more.</summary>
/// <param name="session">The session; 0 for none.</param>
/// <param name="dead">Sessions to be struck off.</param>
/// <param name="now">The present.</param>
internal sealed class HolderChange(ulong session, IReadOnlyList<ulong> dead, Instant now) : Change(default, CommitTarget.Record, "holder", now)
{
    public ulong Session { get; } = session;

    public IReadOnlyList<ulong> Dead { get; } = dead;

    /// <summary>Told when it has come to an end, either way.</summary>
    public required Action Done { get; init; }
}

/// <summary>A silo's wish for a pin and the whole VMO, on behalf of a snapshot of one of its live descendants.</summary>
internal sealed class PinChange(PinCall call, Ticket ticket, Instant now) : Change(default, CommitTarget.Record, "pin", now)
{
    public PinCall Call { get; } = call;

    /// <summary>Who waits.</summary>
    public Ticket Ticket { get; } = ticket;

    /// <summary>What is pinned, once it is decided.</summary>
    public PinReply? Reply { get; set; }

    /// <summary>Told when it has come to an end: with nothing of the VMO in flight.</summary>
    public required Action<PinChange, Outcome> Done { get; init; }
}

/// <summary>One step of something that takes several: a commit of its own, before everything that waits.</summary>
internal sealed class StepChange(CommitTarget target, string name, Instant now) : Change(default, target, name, now)
{
    public required Func<StoreCommit> Build { get; init; }

    /// <summary>The commit is durable.</summary>
    public required Action Applied { get; init; }

    /// <summary>Sent again when nobody knows what became of it: the second time it changes nothing.</summary>
    public bool IsIdempotent { get; init; }

    /// <summary>Told the seq of the layer it changes when that has moved on by settling; null: it is the record's, or the top's.</summary>
    public Action<ulong>? SeqMoved { get; init; }

    /// <summary>Told when the store refused it: it is not sent again. Null: it must go on, and is sent until it is taken.</summary>
    public Action? Failed { get; init; }
}

/// <summary>Upkeep of the layer: leaves rewritten, runs dropped, pages of half-dead blobs moved.</summary>
internal sealed class UpkeepChange(LayerId layer, Instant now) : Change(default, CommitTarget.Layer, "upkeep", now)
{
    /// <summary>The layer it is about: when that is frozen meanwhile, there is nothing left to do.</summary>
    public LayerId Layer { get; } = layer;

    /// <summary>Leaves whose stored form still has dead slots.</summary>
    public IReadOnlyList<ulong> Leaves { get; init; } = [];

    /// <summary>All clearing runs have no dead slot under them any more.</summary>
    public bool DropRuns { get; init; }

    /// <summary>Pages to move to a new blob, with the slot they are moved from.</summary>
    public IReadOnlyList<(ulong Page, Slot From, ReadOnlyMemory<byte> Bytes)> Moves { get; init; } = [];
}
