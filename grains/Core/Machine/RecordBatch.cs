using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Handles;
using VmoCluster.Core.Live;
using VmoCluster.Core.Record;
using VmoCluster.Core.Requests;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// A batch of changes of the record: handles, name, signals. It works on copies; nothing changes until <see cref="Publish"/>. When the last
/// handle goes, the batch makes the VMO dying.
/// </summary>
internal sealed class RecordBatch
{
    private const int ChangesMax = 1024;

    private readonly VmoRecord _record;
    private readonly LayerHead _layer;
    private readonly Instant _now;
    private readonly HandleTable _handles;
    private readonly Dictionary<uint, HandleEntry?> _changed = [];
    private readonly List<RingEntry> _answered = [];
    private readonly Dictionary<string, int> _calls = new(StringComparer.Ordinal);
    private readonly List<uint> _ended = [];
    private readonly HashSet<Change> _effective = [];
    private string _name;
    private VmoSignals _signals;
    private uint _nextHandle;
    private readonly FrozenUsers _users;
    private bool _isRelease = true;
    private bool _isClosed;
    private PreparedSlot? _ring;
    private Children _children;
    private VmoMeta _meta;
    private BirthIntent? _intent;
    private HashSet<ulong>? _holders;

    // What was gathered for a clone call at the head of the queue, or why it could not be.
    private readonly LiveMoment? _moment;
    private readonly Outcome _momentFailure;

    public RecordBatch(VmoRecord record, LayerHead layer, Instant now, LiveMoment? moment = null, Outcome momentFailure = default)
    {
        (_moment, _momentFailure) = (moment, momentFailure);
        _record = record;
        _layer = layer;
        _now = now;
        _handles = record.Handles.Copy();
        _name = record.Name;
        _signals = record.UserSignals;
        _nextHandle = record.NextHandle;
        _children = record.Children;
        _meta = record.Meta;
        _users = new(record);
    }

    /// <summary>What has been decided, in order, with the reply of those that are Ok.</summary>
    public List<(Change Change, Outcome Outcome, VmoReply? Reply)> Decided { get; } = [];

    /// <summary>Whether children come after it, or the top is frozen: what was decided is answered when that is done.</summary>
    public bool IsBirth => _intent is not null;

    /// <summary>The gates to be entered before it is sent; null: it relies on nobody.</summary>
    public IGates? Gates => _intent is null ? null : _moment;

    /// <summary>Handles that end with this batch: whoever waits through them is told Canceled.</summary>
    public IReadOnlyList<uint> Ended => _ended;

    /// <summary>What the VMO is after it: without a handle it lives for those that show its pages, and otherwise dies.</summary>
    private VmoState State => _record.State == VmoState.Dying || (_handles.LiveCount == 0 && _children.Followers.IsEmpty)
        ? VmoState.Dying
        : _handles.LiveCount == 0 ? VmoState.Ghost : VmoState.Alive;

    /// <summary>
    /// Whether, after it, somebody must look after the VMO even if nobody calls: it is dying, children are being made, pins wait to be confirmed,
    /// or time will end a handle.
    /// </summary>
    public bool NeedsNote => State == VmoState.Dying || _intent is not null || !_users.Pins.IsEmpty || _handles.NextEndMs != long.MaxValue;

    public bool TryAdd(Change change)
    {
        if (Decided.Count >= ChangesMax || _isClosed)
            return false;
        if (change is CallChange { Call: CloneCall } || (change is PinChange && _layer.MustFreeze))
        {
            // Alone: the whole of what stands before it is done when it is decided.
            if (Decided.Count > 0)
                return false;
            _isClosed = true;
        }

        if (change.DeadlineMs <= _now.MonotonicMs && !change.IsInternal)
        {
            Decided.Add((change, new(VmoStatus.TimedOut, $"the {change.Name} waited until its deadline and was not begun"), null));
            return true;
        }

        var (outcome, reply, result) = change switch
        {
            ExpireChange => Expire(),
            HeardChange heard => Heard(heard),
            CallChange { Call: OperatorHandleCall call } => OperatorHandle(call),
            KinChange kin => Kin(kin.Message),
            HolderChange holder => Holders(holder),
            PinChange pin => Pin(pin),
            CallChange { Call: CloneCall call } => Clone(call),
            CallChange { Call: ReplaceCall call } => Replace(call),
            CallChange { Call: var call } => Decide(call),
            _ => throw new InvariantException($"a change of the record of kind {change.Name}"),
        };
        Decided.Add((change, outcome, reply));
        if (outcome.IsOk)
        {
            _calls[change.Name] = _calls.GetValueOrDefault(change.Name) + 1;
            if (!change.Head.Request.IsNone)
                _answered.Add(new(change.Head.Request, change.Digest, result));
        }
        else if (result == RequestRing.Refused)
        {
            _effective.Add(change);
            if (!change.Head.Request.IsNone)
                _answered.Add(new(change.Head.Request, change.Digest, result));
        }

        return true;
    }

    /// <summary>Whether what a change was told is true only when the batch is durable, although it was refused.</summary>
    public bool HasEffect(Change change) => _effective.Contains(change);

    /// <summary>The commit; null if nothing is to be stored.</summary>
    public StoreCommit? Finish(Owner owner)
    {
        var fields = new List<StoreField>();
        foreach (var (number, entry) in _changed)
            fields.Add(new(FieldNames.Handle(number), entry?.Encode() ?? []));
        if (_nextHandle != _record.NextHandle)
            fields.Add(new(FieldNames.NextHandle, VmoRecord.Number(_nextHandle)));
        if (_name != _record.Name)
            fields.Add(new(FieldNames.Name, System.Text.Encoding.UTF8.GetBytes(_name)));
        if (_signals != _record.UserSignals)
            fields.Add(new(FieldNames.Signals, VmoRecord.Number((uint)_signals)));
        if (!ReferenceEquals(_meta, _record.Meta))
            fields.Add(new(FieldNames.Meta, _meta.Encode()));
        if (!ReferenceEquals(_children, _record.Children))
            fields.Add(new(FieldNames.Children, _children.Encode()));
        _users.AddFields(fields);
        if (_holders is not null)
            fields.Add(new(FieldNames.Holders, VmoRecord.EncodeHolders(_holders)));
        if (_intent is not null)
            fields.Add(new(FieldNames.Intent, _intent.Encode()));
        if (fields.Count == 0 && _answered.Count == 0)
            return null;
        if (State != _record.State)
            fields.Add(new(FieldNames.State, new[] { (byte)State }));
        fields.Add(new(FieldNames.Event, Events.Encode(_record.Seq + 1, string.Join(',', _calls.Select(call => $"{call.Key}={call.Value}")))));
        if (_answered.Count > 0)
        {
            _ring = _record.Ring.Prepare(_answered, _now.UnixMs);
            fields.Add(_ring.Field);
        }

        return new()
        {
            Vmo = _record.Meta.Koid,
            Owner = owner,
            Target = CommitTarget.Record,
            Layer = _layer.Id,
            Seq = _record.Seq,
            Fields = fields,
            IsRelease = _isRelease || State == VmoState.Dying,
            IsStructure = State == VmoState.Dying || _intent is not null || _users.HasPinned,
        };
    }

    /// <summary>The commit is durable.</summary>
    public void Publish()
    {
        _record.Seq++;
        var state = State;
        _record.Handles = _handles;
        _record.Name = _name;
        _record.UserSignals = _signals;
        _record.NextHandle = _nextHandle;
        _record.State = state;
        _record.Children = _children;
        _record.Meta = _meta;
        _users.Publish();
        if (_holders is not null)
            _record.Holders = _holders;
        if (_intent is not null)
            _record.Intent = _intent;
        if (_ring is not null)
            _record.Ring.Publish(_ring);
    }

    private (Outcome Outcome, VmoReply? Reply, ulong Result) Decide(VmoCall call)
    {
        var needed = call switch
        {
            SetNameCall => VmoRights.SetProperty,
            SignalCall => VmoRights.Signal,
            DuplicateCall => VmoRights.Duplicate,
            _ => VmoRights.None,
        };
        var outcome = Authority.Check(_handles, call.Head.Secret, needed, _now, out var handle);
        return outcome.IsOk ? Decide(call, handle!) : (outcome, null, 0);
    }

    private (Outcome Outcome, VmoReply? Reply, ulong Result) Decide(VmoCall call, HandleEntry handle)
    {
        switch (call)
        {
            case CloseCall:
                End(handle.Number, _handles.Close(handle.Number));
                return (Outcome.Ok, null, 0);
            case RevokeCall:
                End(handle.Number, _handles.Revoke(handle.Number));
                return (Outcome.Ok, null, 0);
            case ConfirmCall:
                if (handle.ConfirmByMs != 0)
                    Put(handle with { ConfirmByMs = 0 });
                return (Outcome.Ok, null, 0);
            case DuplicateCall duplicate:
                return Duplicate(duplicate, handle);
            case RenewCall renew:
                return Renew(renew, handle);
            case SetNameCall set:
                var named = Text.TryName(set.Name, out var name);
                if (!named.IsOk)
                    return (named, null, 0);
                (_name, _isRelease) = (name, false);
                return (Outcome.Ok, null, 0);
            case SignalCall signal:
                if (((signal.Clear | signal.Set) & ~VmoSignals.UserAll) != 0)
                    return (new(VmoStatus.InvalidArgs, $"only the user signals (bits 24 to 31) can be changed; asked for {(uint)(signal.Clear | signal.Set):x8}"), null, 0);
                (_signals, _isRelease) = ((_signals & ~signal.Clear) | signal.Set, false);
                return (Outcome.Ok, null, 0);
            default:
                throw new InvariantException($"a change of the record of kind {call.GetType().Name}");
        }
    }

    private (Outcome Outcome, VmoReply? Reply, ulong Result) Duplicate(DuplicateCall call, HandleEntry handle)
    {
        if (!HandleRights.TryNarrow(handle.Rights, call.Rights, out var rights))
            return (TooMuch(call.Rights, handle.Rights), null, 0);
        if (call.ExpiresMs < 0)
            return (new(VmoStatus.InvalidArgs, $"an expiry of {call.ExpiresMs} ms lies before 1970"), null, 0);
        if (handle.ExpiresMs != 0 && call.ExpiresMs > handle.ExpiresMs)
            return (new(VmoStatus.InvalidArgs, $"the duplicate would expire at {call.ExpiresMs}, after its source at {handle.ExpiresMs} (Unix ms)"), null, 0);
        if (call.Range is { } range && (range.Wraps || (handle.Range is { } allowed && !allowed.Contains(range))))
            return (new(VmoStatus.OutOfRange, $"a range of {range.Length} bytes at {range.Offset} wraps or is wider than the source's {handle.Range}"), null, 0);
        var expires = call.ExpiresMs == 0 ? handle.ExpiresMs : call.ExpiresMs;
        return Issue(call.NewSecret, rights, handle.Number, expires, call.Range ?? handle.Range);
    }

    private (Outcome Outcome, VmoReply? Reply, ulong Result) OperatorHandle(OperatorHandleCall call) => call.Head.Caller is { IsOperator: true }
        ? Issue(call.NewSecret, HandleRights.OfNewVmo, 0, 0, null)
        : (new(VmoStatus.AccessDenied, "only the operator may make a handle out of a koid"), null, 0);

    private (Outcome Outcome, VmoReply? Reply, ulong Result) Issue(HandleSecret secret, VmoRights rights, uint parent, long expires, ByteRange? range)
    {
        if (secret.IsNone)
            return (new(VmoStatus.InvalidArgs, "the new handle's secret is empty"), null, 0);
        if (_handles.EntryCount >= Limits.HandlesPerVmoMax)
            return (new(VmoStatus.NoMemory, $"the VMO has {Limits.HandlesPerVmoMax} handles, its most"), null, 0);
        var hash = secret.Hash();
        if (_handles.Has(hash))
            return (new(VmoStatus.AlreadyExists, "a handle with this secret exists"), null, 0);
        Put(new(_nextHandle++, hash, rights, parent, expires, range, _now.UnixMs + Limits.ConfirmWithinMs, IsClosed: false));
        _isRelease = false;
        return (Outcome.Ok, new VmoReply { Rights = rights }, (ulong)rights);
    }

    private (Outcome Outcome, VmoReply? Reply, ulong Result) Clone(CloneCall call)
    {
        var outcome = Authority.Check(_handles, call.Head.Secret, VmoRights.Duplicate | VmoRights.Read, _now, out var handle);
        if (!outcome.IsOk)
            return (outcome, null, 0);
        var plan = new BirthPlan(_record, _layer, handle!, call, _now, _moment);
        outcome = plan.Decide();
        if (outcome.IsOk && plan.NeedsMoment)
            outcome = _momentFailure;
        if (!outcome.IsOk)
            return (outcome, null, 0);
        Invariant.Holds(_moment is not null || !plan.NeedsMoment, "a snapshot of what follows others is decided without one moment of them");
        _intent = plan.Intent;
        foreach (var birth in _intent.Births)
        {
            _children = _children.With(birth.Meta.Kind, birth.Meta.Koid, 1);
            foreach (var item in birth.Bases)
            {
                // Layers of other VMOs are pinned for it.
                if (item.Layer.Home == _record.Meta.Koid)
                    _users.Add(item.Layer.Number, birth.Meta.Koid);
            }
        }

        _isRelease = false;
        return (Outcome.Ok, plan.Reply, call.First.Value);
    }

    private (Outcome Outcome, VmoReply? Reply, ulong Result) Kin(KinMessage message)
    {
        switch (message)
        {
            case UserGone gone:
                _users.End(gone.User);
                break;
            case Reparent { Parent.IsNone: true } when _meta.Parent.IsNone:
            case Reparent { Parent.IsNone: false } reparent when _meta.Parent.IsNone || _meta.ParentGeneration <= reparent.Generation:
                // It reports there, or beyond.
                break;
            case Reparent when State == VmoState.Dying:
                return (new(VmoStatus.ShouldWait, $"the VMO is closed, and tells VMO {_meta.Parent} so", 500), null, 0);
            case Reparent reparent:
                _meta = _meta with { Parent = reparent.Parent, ParentGeneration = reparent.Generation };
                break;
            case Rehome rehome:
                // Told before: a repeat that was long on its way must not bring back a child that has gone since.
                if (!_children.Contains(rehome.Gone))
                    break;
                _children = Without(rehome.Gone);
                foreach (var child in rehome.Children)
                    _children = _children.With(VmoKind.Snapshot, new(child), 1);
                break;
            case Pin pin:
                return Pin(pin);
            case Unpin unpin:
                _users.Unpin(unpin);
                break;
            case AliasFence fence:
                // Nothing is in flight now, and what waits finds its handle gone when its turn comes.
                _handles.Windows.Fence(fence, _now.MonotonicMs);
                break;
            default:
                throw new InvariantException($"a message of kind {message.GetType().Name}");
        }

        return (Outcome.Ok, null, 0);
    }

    // For children of a descendant. What the VMO shows is frozen, if it is not; the grant follows when nothing is in flight.
    private (Outcome Outcome, VmoReply? Reply, ulong Result) Pin(PinChange change)
    {
        var (call, meta) = (change.Call, _record.Meta);
        if (State == VmoState.Dying || meta.IsAlias)
            return (new(VmoStatus.NotFound, $"VMO {meta.Koid} is {(meta.IsAlias ? "an alias" : "closed")}, and nobody shows its pages"), null, 0);
        var layer = _layer.MustFreeze ? _layer.Id.Number : _layer.Below.Under;
        if (layer != 0 && _users.Pins.Entries.Count >= Limits.PinsPerVmoMax)
            return (TooManyPins, null, 0);
        if (layer != 0)
            _users.Pin(new(layer, call.Users, call.Asker, Koid.None, call.Stamp), isMove: true);
        if (_layer.MustFreeze)
            _intent = new(layer, _layer.Seq + 1, RequestId.None, [], []);
        if (!_record.Holders.Contains(call.Session))
            AddHolder(call.Session);
        _isRelease = false;
        var isLive = meta.Kind == VmoKind.Live;
        change.Reply = new()
        {
            Layer = layer,
            Size = _layer.Size / Limits.PageBytes,
            Limit = _layer.MustFreeze ? _layer.Size / Limits.PageBytes : Math.Min(_layer.Size / Limits.PageBytes, _layer.Low),
            Parent = isLive ? meta.ShownVmo : Koid.None,
            ParentOffset = isLive ? meta.ShownOffset / Limits.PageBytes : 0,
            ParentEnd = meta.ShownEndPage,
            Lineage = _record.Lineage.Encode(),
        };
        return (Outcome.Ok, null, 0);
    }

    private static Outcome TooManyPins { get; } = new(VmoStatus.ShouldWait, $"{Limits.PinsPerVmoMax} pins of the VMO's layers wait to be confirmed, the most", 500);

    private (Outcome Outcome, VmoReply? Reply, ulong Result) Holders(HolderChange change)
    {
        if (change.Session != 0)
            AddHolder(change.Session);
        if (change.Dead.Any((_holders ?? _record.Holders).Contains))
            (_holders ??= [.. _record.Holders]).ExceptWith(change.Dead);
        return (Outcome.Ok, null, 0);
    }

    private void AddHolder(ulong session) => (_holders ??= [.. _record.Holders]).Add(session);

    private Children Without(Koid child) => _children.Contains(child) ? _children.Without(child) : _children;

    // A layer with a user stands, whatever becomes of the VMO; the highest frozen one stands until the VMO dies.
    private (Outcome Outcome, VmoReply? Reply, ulong Result) Pin(Pin pin)
    {
        var isHighest = pin.Layer != 0 && pin.Layer == _layer.Below.Under && State != VmoState.Dying;
        if (pin.Via.IsNone ? !isHighest : !_users.Of(pin.Layer).Contains(pin.Via))
            return (new(VmoStatus.NotFound, $"layer {pin.Layer} cannot be pinned{(pin.Via.IsNone ? "" : $": VMO {pin.Via} does not look through it")}"), null, 0);
        if (_users.Pins.Entries.Count >= Limits.PinsPerVmoMax)
            return (TooManyPins, null, 0);
        _users.Pin(pin, isMove: false);
        if (_users.HasPinned)
            _isRelease = false;
        return (Outcome.Ok, null, 0);
    }

    // A replaced handle keeps its place in the derivation: only its secret and its rights change.
    private (Outcome Outcome, VmoReply? Reply, ulong Result) Replace(ReplaceCall call)
    {
        var outcome = Authority.Check(_handles, call.Head.Secret, VmoRights.None, _now, out var handle);
        if (!outcome.IsOk)
            return (outcome, null, 0);
        if (!HandleRights.TryNarrow(handle!.Rights, call.Rights, out var rights) || call.NewSecret.IsNone || _handles.Has(call.NewSecret.Hash()))
        {
            // E18: the source is gone in every case but BAD_HANDLE. A repeat must hear of it, too.
            End(handle.Number, _handles.Close(handle.Number));
            return (TooMuch(call.Rights, handle.Rights), null, RequestRing.Refused);
        }

        Put(handle with { Hash = call.NewSecret.Hash(), Rights = rights, ConfirmByMs = _now.UnixMs + Limits.ConfirmWithinMs });
        _ended.Add(handle.Number);
        return (Outcome.Ok, new VmoReply { Rights = rights }, (ulong)rights);
    }

    private (Outcome Outcome, VmoReply? Reply, ulong Result) Renew(RenewCall call, HandleEntry handle)
    {
        if (call.ExpiresMs < 0)
            return (new(VmoStatus.InvalidArgs, $"an expiry of {call.ExpiresMs} ms lies before 1970"), null, 0);
        if (_handles.ByNumber(handle.Parent) is { ExpiresMs: not 0 } parent && (call.ExpiresMs == 0 || call.ExpiresMs > parent.ExpiresMs))
            return (new(VmoStatus.InvalidArgs, $"it would expire after the handle it was derived from, at {parent.ExpiresMs} (Unix ms)"), null, 0);
        Put(handle with { ExpiresMs = call.ExpiresMs });
        _isRelease = false;
        return (Outcome.Ok, new VmoReply { Number = (ulong)call.ExpiresMs }, 0);
    }

    private (Outcome Outcome, VmoReply? Reply, ulong Result) Expire()
    {
        foreach (var entry in _handles.Entries.Where(entry => entry.EndsMs <= _now.UnixMs).ToList())
            End(entry.Number, _handles.Close(entry.Number));
        return (Outcome.Ok, null, 0);
    }

    private (Outcome Outcome, VmoReply? Reply, ulong Result) Heard(HeardChange heard)
    {
        heard.IsTaken = true;
        foreach (var number in heard.Handles)
        {
            if (_handles.ByNumber(number) is { IsClosed: false, ConfirmByMs: not 0 } entry && entry.EndsMs > _now.UnixMs)
                Put(entry with { ConfirmByMs = 0 });
        }

        return (Outcome.Ok, null, 0);
    }

    private void Put(HandleEntry entry)
    {
        _handles.Put(entry);
        _changed[entry.Number] = entry;
    }

    private void End(uint number, Dictionary<uint, HandleEntry?> changed)
    {
        foreach (var (key, entry) in changed)
        {
            _changed[key] = entry;
            _ended.Add(key);
        }

        _ended.Add(number);
    }

    private static Outcome TooMuch(VmoRights asked, VmoRights held) => new(VmoStatus.InvalidArgs,
        $"asked for {HandleRights.Describe(asked & ~held)}, which the handle does not have; it has {HandleRights.Describe(held)}");
}
