using VmoCluster.Core.Handles;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// One VMO, owned: input in, effects out; no clock, chance, thread or store of its own. The shell executes the effects of a step in their
/// order and feeds results back, one step at a time. Lives from acquisition to the end of the activation.
/// </summary>
public sealed class VmoMachine
{
    /// <summary>Milliseconds after which failed upkeep is tried again.</summary>
    private const int RetryMs = 1000;

    private readonly MachineState _state;
    private readonly Loads _loads;
    private readonly HashSet<PendingLookup> _lookups = [];
    private readonly ReadDesk _reads;
    private readonly WaitDesk _waits;
    private readonly Staging _staging;
    private readonly ChangeQueue _queue;
    private readonly Upkeep _upkeep;
    private readonly Destruction _destruction;
    private readonly Births _births;
    private readonly Collapse _collapse;
    private readonly Kinship _kin;
    private readonly GrantDesk _grants;
    private readonly AliasDesk _alias;
    private readonly PinDesk _pins;
    private readonly Gathering _gathering;
    private HeardChange? _heard;
    private bool _isExpiring;
    private bool _isUnlinking;
    private long _unlinkAgainMs;

    // Acquired, and no step taken yet.
    private bool _isAcquired;

    private VmoMachine(MachineState state, bool isNoted)
    {
        _state = state;
        _loads = new(state);
        _reads = new(state, _loads, Heard);
        _waits = new(state);
        _queue = new(state, _loads, _waits, Heard) { IsNoted = isNoted };
        _staging = new(state, Complete);
        _upkeep = new(state, _loads, change => _queue.Enqueue(change, _ => { }));
        _destruction = new(state, _loads);
        _collapse = new(state, _queue);
        _births = new(state, _queue, _collapse.Changed);
        _pins = new(state, _queue, _destruction);
        _gathering = new(state, _pins);
        _pins.Claims.Add(_gathering.Claim);
        _pins.Claims.Add(_collapse.Claim);
        _collapse.NextStamp = _pins.NextStamp;
        _queue.Gathering = _gathering;
        _kin = new(state, _queue, _destruction, _pins, _collapse);
        _grants = new(state, _loads, _queue);
        _alias = new(state, _queue, Heard);
        _queue.MayEnd = _alias.MayEnd;
        _queue.MayChange = _grants.MayChange;
        _queue.BatchEnded = _grants.Reopen;
        _queue.Born = _births.Begin;
        _queue.IsBlocked = () => _upkeep.IsRemoving || IsResting;
        _queue.UpkeepDone = _upkeep.Done;
        _queue.FamilyChanged = _collapse.Changed;
        _destruction.Enqueue = message => _queue.Enqueue(new KinChange(message, state.Now) { IsInternal = true }, _ => { });
    }

    /// <summary>The VMO's koid.</summary>
    public Koid Koid => _state.Record.Meta.Koid;

    /// <summary>The owner that this machine decides as.</summary>
    public Owner Owner => _state.Owner;

    /// <summary>The top layer.</summary>
    public LayerId Layer => _state.Layer.Id;

    /// <summary>What the store has acknowledged so far.</summary>
    public StoreFence Fence => new(Koid, Owner, _state.Record.Seq, _state.Layer.Id, _state.Layer.Seq);

    /// <summary>Whether a change is on its way to the store, and perhaps its blobs without it.</summary>
    public bool IsInTheAir => _queue.IsFlying;

    /// <summary>Set for good before a VMO is handed over: no change is begun any more, and the one on its way comes to its end.</summary>
    public bool IsResting { get; set; }

    /// <summary>Whether blobs may stand in the store whose names are known here alone.</summary>
    public bool KnowsGarbage => _state.Layer.Dead.Count > 0;

    /// <summary>Whether it has come to its end: nothing is decided any more.</summary>
    public bool IsEnded => _state.IsEnded;

    /// <summary>Whether its last handle is closed and no child needs it.</summary>
    public bool IsDying => _state.Record.State == VmoState.Dying;

    /// <summary>The parent; None for a root, and when all that stood above are closed.</summary>
    public Koid Parent => _state.Record.Meta.Parent;

    /// <summary>Whether anything lies under its top layer.</summary>
    public bool LooksBelow => _state.Sight.HasBelow;

    /// <summary>Changes waiting.</summary>
    public int QueuedCount => _queue.Count;

    /// <summary>Bytes that large reads and writes keep from piece to piece.</summary>
    public int KeptBytes => _reads.KeptBytes + _staging.Bytes;

    /// <summary>Whether a large read or write is under way that a piece under this head could belong to.</summary>
    public bool HasBegun(CallHead head) => _reads.Knows(head) || _staging.Knows(head);

    /// <summary>Whether time may bring work even if nobody calls: a handle ends, a wait, a large transfer, something to be freed.</summary>
    public bool NeedsTicks => NextTickMs != long.MaxValue;

    /// <summary>Whether somebody must look after the VMO even when this activation is gone.</summary>
    public bool NeedsNote => _state.Record.State == VmoState.Dying || _state.Record.Intent is not null || _pins.IsWaiting || _collapse.IsAtWork || _state.Record.Handles.NextEndMs != long.MaxValue;

    /// <summary>Whether its place in the list of unfinished work is stored.</summary>
    public bool IsNoted
    {
        get => _queue.IsNoted;
        set => _queue.IsNoted = value;
    }

    /// <summary>Milliseconds from now at which a tick is worth while; <see cref="long.MaxValue"/> for never.</summary>
    public long NextTickMs { get; private set; } = long.MaxValue;

    /// <summary>A VMO just created by this owner; its place in the unfinished list was noted before.</summary>
    public static VmoMachine Created(VmoCreation creation, Owner owner, SiloMemory memory) =>
        new(new(creation.ToRecord(), creation.ToLayer(memory.Budget), owner, memory), isNoted: true);

    /// <summary>A VMO just acquired. Damage throws <see cref="InvalidDataException"/>.</summary>
    /// <param name="record">The record as loaded.</param>
    /// <param name="top">The top layer: the one the record names, or the last that follows it (<see cref="NextOf"/>).</param>
    /// <param name="layer">The head of the top layer: <see cref="HeadNames"/>.</param>
    /// <param name="owner">Who owns it now.</param>
    /// <param name="previous">Who owned it before.</param>
    /// <param name="memory">What the silo's VMOs share.</param>
    public static VmoMachine Acquired(StoredHash record, LayerId top, StoredHash layer, Owner owner, Owner previous, SiloMemory memory) =>
        new(new(VmoRecord.Decode(record), LayerHead.Decode(top, layer, previous.HasLeftNothing ? null : record.Formers, memory.Budget), owner, memory), isNoted: false) { _isAcquired = true };

    /// <summary>The layer that follows a frozen one, by its head; null: it is the top.</summary>
    public static LayerId? NextOf(LayerId layer, StoredHash head)
    {
        foreach (var field in head.Fields)
        {
            if (field.Name.Span.SequenceEqual(Encoding.FieldNames.Next.Span))
                return new(layer.Home, System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(field.Value.Span));
        }

        return null;
    }

    /// <summary>The layer fields that <see cref="Acquired"/> needs.</summary>
    public static IReadOnlyList<ReadOnlyMemory<byte>> HeadNames => LayerHead.Names;

    /// <summary>The top layer that a record names.</summary>
    public static LayerId TopOf(StoredHash record) => VmoRecord.Decode(record).Top;

    /// <summary>What a koid that has no VMO any more answers to a call: the answer given before, if the tombstone remembers it, else BadHandle.</summary>
    public static Outcome FromTombstone(StoredHash? tombstone, RequestId request)
    {
        var ring = new Requests.RequestRing();
        foreach (var field in tombstone?.Fields ?? [])
        {
            if (Encoding.FieldNames.TryReadNumbered((byte)'q', field.Name.Span, out var slot))
                ring.Load(slot, field.Value.Span);
        }

        if (request.IsNone || !ring.TryFind(request, out _))
            return Authority.BadHandle;
        return ring.IsRefused(request) ? ChangeQueue.RefusedBefore(request) : Outcome.Ok;
    }

    /// <summary>Reads from memory alone, with no effects; null: not all of it is here, take a step.</summary>
    public ReadReplies? TryRead(ReadCalls reads, Instant now)
    {
        if (_state.IsEnded || _state.Record.Meta.IsAlias)
            return null;
        At(now);
        return _reads.TryNow(reads);
    }

    // Those who were told of a handle have the whole time to be heard of anew: before this owner there may have been nobody to hear them.
    private void At(Instant now)
    {
        _state.Now = now;
        if (_isAcquired)
            _state.Record.Handles.AwaitReceivers(now.UnixMs + Limits.ConfirmWithinMs);
        _isAcquired = false;
    }

    /// <summary>One step. The effects are to be executed in order.</summary>
    public List<VmoEffect> Step(VmoInput input, Instant now)
    {
        var effects = new List<VmoEffect>();
        _state.Effects = effects;
        At(now);
        if (_state.IsEnded)
        {
            RefuseEnded(input);
            return effects;
        }

        Take(input);
        AfterStep();
        return effects;
    }

    /// <summary>
    /// Lets in a call that a slice or reference has handed on. The secret, made of a fresh one the first time, opens what the pass says and is
    /// known to nobody else.
    /// </summary>
    public Outcome Admit(AliasPass pass, HandleSecret fresh, Instant now, out HandleSecret secret) =>
        _state.Record.Handles.Windows.TryAdmit(pass, fresh, now.MonotonicMs, out secret);

    /// <summary>Ends the machine from outside: everything that waits is answered, and nothing is decided any more.</summary>
    public List<VmoEffect> End(Outcome outcome, Instant now)
    {
        var effects = new List<VmoEffect>();
        _state.Effects = effects;
        At(now);
        _state.IsEnded = true;
        EndAll(outcome);
        _state.Layer.Map.Clear();
        return effects;
    }

    private void Take(VmoInput input)
    {
        if (_alias.TryTake(input))
            return;
        switch (input)
        {
            case ReadInput read:
                _reads.Read(read);
                break;
            case ReadPieceInput piece:
                _reads.ReadPiece(piece);
                break;
            case WriteInput write:
                Write(write);
                break;
            case WritePieceInput piece:
                WritePiece(piece);
                break;
            case CallInput call:
                Call(call.Ticket, call.Call);
                break;
            case LeavesLoaded loaded:
                _loads.Loaded(loaded);
                break;
            case FieldsCounted counted:
                _loads.Counted(counted);
                break;
            case LeavesScanned { Scan.Then: { } then } scanned:
                then(scanned.Fields, scanned.Outcome);
                break;
            case LeavesScanned scanned:
                _loads.Scanned(scanned);
                break;
            case FrozenLoaded frozen:
                _loads.Loaded(frozen);
                break;
            case LiveLoaded live:
                _loads.Loaded(live);
                break;
            case GrantInput grant:
                _grants.Ask(grant.Ticket, grant.Call);
                break;
            case PinInput pin:
                _grants.Pin(pin.Ticket, pin.Call);
                break;
            case Gathered gathered:
                _gathering.Gathered(gathered);
                break;
            case RecallDone recalled:
                _grants.Recalled(recalled);
                break;
            case DeadFound found:
                _grants.Found(found);
                break;
            case FieldsLoaded fields:
                fields.Load.Then?.Invoke(fields.Found, fields.Outcome);
                break;
            case LayerDropped dropped:
                dropped.Drop.Then?.Invoke(dropped.Done);
                break;
            case ChildrenCreated created:
                _births.Created(created);
                break;
            case KinInput kin:
                if (kin.Message is Unpin unpin)
                    _grants.Unhold(unpin);
                _kin.Hear(kin.Ticket, kin.Message);
                break;
            case KinTold told:
                if (!_collapse.Told(told) && !_alias.Told(told) && !_pins.Told(told) && !_births.Told(told) && !_kin.Told(told))
                    _destruction.Told(told);
                _kin.Resume();
                break;
            case ForwardDone done:
                _alias.Done(done);
                break;
            case BlobsLoaded blobs:
                blobs.Load.Then?.Invoke(blobs.Found, blobs.Outcome);
                break;
            case CommitDone done:
                _queue.CommitDone(done.Outcome);
                break;
            case SettleDone settled:
                _queue.SettleDone(settled.Settlement);
                break;
            case UnfinishedNoted noted:
                _queue.Noted(noted.Outcome);
                break;
            case BlobsUnlinked unlinked:
                unlinked.Unlink.Then?.Invoke(unlinked.Outcome);
                break;
            case MarksRemoved { Done: false }:
                // A late removal might yet come after a later commit: only a new owner is safe from it.
                _state.IsEnded = true;
                _state.Effects.Add(new EndActivation("the removal of empty leaves came to no outcome", Release: false));
                break;
            case MarksRemoved removed:
                _upkeep.Removed(removed);
                break;
            case Erased erased:
                _destruction.Erased(erased);
                break;
            case TickInput:
                Tick();
                break;
            default:
                throw new InvariantException($"an input of kind {input.GetType().Name}");
        }
    }

    private void AfterStep()
    {
        _births.Advance();
        _grants.Pump();
        _queue.Pump();
        _alias.Pump();
        if (_state.IsEnded)
        {
            EndAll(Ended);
            return;
        }

        if (_state.Record.State == VmoState.Dying)
        {
            if (_queue.IsIdle && !_upkeep.IsRemoving && _collapse.TryRest())
                _destruction.Advance();
        }
        else
        {
            Unlink();
            Expire();
            if (_queue.IsIdle && _state.Record.Intent is null)
                _upkeep.Begin();
            _collapse.Advance();
            _queue.Pump();
            if (IsNoted && !NeedsNote && _queue.IsIdle)
            {
                IsNoted = false;
                _state.Effects.Add(new ClearUnfinished());
            }
        }

        if (!_loads.IsScanning)
            _state.Layer.Map.Trim(extent => _loads.IsWanted(extent) || _queue.IsTouching(extent));
        if (_loads.IsIdle)
            _state.Sight.Trim();
        NextTickMs = NextTick();
    }

    private long NextTick()
    {
        var ends = _state.Record.Handles.NextEndMs;
        var next = ends == long.MaxValue ? long.MaxValue : Math.Max(1, ends - _state.Now.UnixMs);
        if ((_state.Record.State == VmoState.Dying && !_destruction.IsWaiting) || _state.Record.Intent is not null || _state.Layer.Dead.Count > 0 || _staging.Bytes > 0 || _reads.HasWholes || _alias.IsHolding || _pins.IsWaiting || !_queue.IsIdle)
            next = Math.Min(next, RetryMs);
        if (_grants.HeldUntilMs is < long.MaxValue and var held)
            next = Math.Min(next, held - _state.Now.MonotonicMs);
        if (_waits.NextMs != long.MaxValue)
            next = Math.Min(next, Math.Max(1, _waits.NextMs - _state.Now.MonotonicMs));
        return _upkeep.WantsTick || _collapse.WantsTick ? Math.Min(next, RetryMs) : next;
    }

    /// <summary>What stands against joined writes before any of them is looked at.</summary>
    internal static Outcome CheckForm(WriteCalls writes)
    {
        var total = 0L;
        foreach (var item in writes.Items)
            total += item.Length < 0 ? long.MaxValue / 128 : item.Length;
        return writes.Items.Length is 0 or > Limits.JoinCallsMax || total != writes.Data.Length || total > Limits.MessageBytesMax
            ? new(VmoStatus.OutOfRange,
                $"{writes.Items.Length} writes of {writes.Data.Length} bytes in one message; 1 to {Limits.JoinCallsMax} and at most {Limits.MessageBytesMax} bytes, as many as the items say")
            : Outcome.Ok;
    }

    private void Write(WriteInput input)
    {
        var writes = input.Writes;
        if (CheckForm(writes) is { IsOk: false } form)
        {
            Reply(input.Ticket, WriteReplies.Fail(form, writes.Items.Length));
            return;
        }

        var group = new WriteGroup(input.Ticket, writes.Items.Length);
        var at = 0;
        for (var i = 0; i < writes.Items.Length; i++)
        {
            var item = writes.Items[i];
            var data = writes.Data.AsMemory(at, item.Length);
            at += item.Length;
            var index = i;
            _queue.Enqueue(
                new WriteChange(writes.Head with { Request = item.Request }, item.Offset, data, _state.Now) { Digest = Digests.Of(item.Offset, data.Span), Bytes = item.Length },
                change => change.AddWaiter(group, index));
        }

        _upkeep.Changed();
    }

    private void WritePiece(WritePieceInput input)
    {
        // A repeat of a piece whose whole is being written, or was, waits for or gets that answer.
        if (!input.Piece.Head.Request.IsNone && _queue.TryFind(input.Piece.Head.Request, out var change, out _))
        {
            if (change is null)
                Reply(input.Ticket, new WriteReplies { Version = _state.Layer.Seq });
            else
                change.AddWaiter(new WriteGroup(input.Ticket, 1), 0);
            return;
        }

        _staging.Add(input.Ticket, input.Piece);
    }

    private void Complete(WriteChange change, WriteGroup[] groups)
    {
        _queue.Enqueue(change, target =>
        {
            foreach (var group in groups)
                target.AddWaiter(group, 0);
        });
        _upkeep.Changed();
    }

    private void Call(Ticket ticket, VmoCall call)
    {
        switch (call)
        {
            case WaitCall wait:
                _waits.Wait(ticket, wait);
                break;
            case GetSizeCall or GetNameCall or GetContentSizeCall or InfoCall:
                Reply(ticket, Queries.Answer(_state, _waits.Signals, call));
                NoteHeard(call.Head);
                break;
            case OpRangeCall op:
                OpRange(ticket, op);
                break;
            case SetSizeCall or SetContentSizeCall:
                Enqueue(ticket, call, CommitTarget.Layer);
                break;
            default:
                Enqueue(ticket, call, CommitTarget.Record);
                break;
        }
    }

    private void OpRange(Ticket ticket, OpRangeCall op)
    {
        switch (op.Op)
        {
            case VmoOp.Commit or VmoOp.Decommit or VmoOp.Zero:
                Enqueue(ticket, op, CommitTarget.Layer);
                break;
            case VmoOp.Lookup or VmoOp.Prefetch:
                Look(ticket, op);
                NoteHeard(op.Head);
                break;
            default:
                Reply(ticket, Queries.Unsupported(_state, op));
                break;
        }
    }

    private void Look(Ticket ticket, OpRangeCall op)
    {
        PendingLookup? pending = null;
        pending = new(_state, _loads, op, reply =>
        {
            _lookups.Remove(pending!);
            Reply(ticket, reply);
        });
        _lookups.Add(pending);
        pending.Resume();
    }

    private void Enqueue(Ticket ticket, VmoCall call, CommitTarget target)
    {
        var name = call is OpRangeCall op ? op.Op.ToString().ToLowerInvariant() : call.GetType().Name[..^"Call".Length].ToLowerInvariant();
        _queue.Enqueue(new CallChange(call, target, name, _state.Now) { Digest = Digests.Of(call, _state.Record.Handles.Windows.AliasOf(call.Head.Secret.Hash())) }, change => change.AddWaiter(ticket));
        if (target == CommitTarget.Layer)
            _upkeep.Changed();
    }

    // The first use of a handle is proof that it was received; it is made durable by itself.
    private void Heard(HandleEntry handle)
    {
        if (_heard is { IsTaken: false })
        {
            _heard.Handles.Add(handle.Number);
            return;
        }

        if (_heard?.Handles.Contains(handle.Number) == true && !_queue.IsIdle)
            return;
        _heard = new HeardChange(_state.Now) { IsInternal = true };
        _heard.Handles.Add(handle.Number);
        _queue.Enqueue(_heard, _ => { });
    }

    private void NoteHeard(CallHead head)
    {
        if (_state.Record.Handles.Find(head.Secret.Hash(), _state.Now.UnixMs) is { ConfirmByMs: not 0 } handle)
            Heard(handle);
    }

    private void Expire()
    {
        if (_isExpiring && !_queue.IsIdle)
            return;
        _isExpiring = _state.Record.Handles.NextEndMs <= _state.Now.UnixMs;
        if (_isExpiring)
            _queue.Enqueue(new ExpireChange(_state.Now) { IsInternal = true }, _ => { });
    }

    private void Unlink()
    {
        if (_isUnlinking || _state.Layer.Dead.Count == 0 || _state.Now.MonotonicMs < _unlinkAgainMs)
            return;
        _isUnlinking = true;
        var (layer, blobs) = (_state.Layer, _state.Layer.Dead.Take(1024).ToArray());
        _state.Effects.Add(new UnlinkBlobs(layer.Id, blobs)
        {
            AreFormersDone = layer.FormersLeft > 0 && layer.FormersLeft <= blobs.Length,
            Then = outcome =>
            {
                _isUnlinking = false;
                if (outcome.IsOk)
                {
                    // The layer's end, which unlinks all of them, may have come meanwhile.
                    layer.Dead.RemoveRange(0, Math.Min(blobs.Length, layer.Dead.Count));
                    layer.FormersLeft = Math.Max(0, layer.FormersLeft - blobs.Length);
                }
                else
                    _unlinkAgainMs = _state.Now.MonotonicMs + RetryMs;
            },
        });
    }

    private void Tick()
    {
        _waits.Tick();
        _staging.Tick();
        _reads.Tick();
        _pins.Tick();
    }

    private void RefuseEnded(VmoInput input)
    {
        switch (input)
        {
            case ReadInput read:
                Reply(read.Ticket, ReadReplies.Fail(Ended, read.Reads.Items.Length));
                break;
            case ReadPieceInput piece:
                Reply(piece.Ticket, ReadReplies.Fail(Ended, 1));
                break;
            case WriteInput write:
                Reply(write.Ticket, WriteReplies.Fail(Ended, write.Writes.Items.Length));
                break;
            case WritePieceInput piece:
                Reply(piece.Ticket, WriteReplies.Fail(Ended, 1));
                break;
            case CallInput call:
                Reply(call.Ticket, new VmoReply { Outcome = Ended });
                break;
            case GrantInput grant:
                Reply(grant.Ticket, new GrantReply { Outcome = Ended });
                break;
            case KinInput kin:
                Reply(kin.Ticket, new VmoReply { Outcome = Ended });
                break;
            case PinInput pin:
                Reply(pin.Ticket, new PinReply { Outcome = Ended });
                break;
        }
    }

    private void EndAll(Outcome outcome)
    {
        _alias.EndAll(outcome);
        _births.EndAll(outcome);
        _kin.EndAll(outcome);
        _grants.EndAll(outcome);
        _queue.EndAll(outcome);
        _waits.EndAll(outcome);
        _staging.EndAll(outcome);
        _reads.EndAll(outcome);
        foreach (var lookup in _lookups.ToArray())
            lookup.End(outcome);
    }

    private void Reply(Ticket ticket, object reply) => _state.Effects.Add(new Answer(ticket, reply, FromMemory: true));

    private static Outcome Ended { get; } = new(VmoStatus.Io, "the VMO is moving; try again", 20);
}
