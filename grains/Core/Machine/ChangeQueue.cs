using VmoCluster.Core.Handles;
using VmoCluster.Core.Live;
using VmoCluster.Core.Requests;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// The one queue of changes of a VMO. When the flight before is settled, the next batch takes a prefix of one target, decides it, and flies.
/// What is not acknowledged by the store is neither answered nor readable.
/// </summary>
internal sealed class ChangeQueue(MachineState state, Loads loads, WaitDesk waits, Action<HandleEntry> heard)
{
    private const int SettlePauseMs = 50;
    private const int AttemptsMax = 8;
    private const int StepPauseMs = 500;

    private readonly LinkedList<Change> _queue = [];
    private readonly Dictionary<RequestId, Change> _inProgress = [];
    private int _bytes;
    private LayerBatch? _layerFlight;
    private RecordBatch? _recordFlight;
    private StepChange? _stepFlight;
    private long _stepAgainMs;
    private IReadOnlyCollection<IGates> _gates = [];
    private readonly List<PageRange> _flightRanges = [];
    private ulong _flightSeq;
    private LayerId _flightLayer;
    private bool _isNoteAsked;

    // A batch waits for the note.
    private bool _isNoting;
    private bool _isEndHeld;

    /// <summary>The VMO stands in the session's list of unfinished work.</summary>
    public bool IsNoted { get; set; }

    /// <summary>Set while something else must have the layer to itself.</summary>
    public Func<bool> IsBlocked { get; set; } = () => false;

    /// <summary>Whether pages may be changed now; false: what shows them elsewhere is being recalled.</summary>
    public Func<PageRange, bool> MayChange { get; set; } = _ => true;

    /// <summary>Whether handles may be ended now; false: changes made through them are on their way to another VMO.</summary>
    public Func<bool> MayEnd { get; set; } = () => true;

    /// <summary>Whether handles are being ended: their batch waits to be sent, or flies.</summary>
    public bool IsEnding => _isEndHeld || _recordFlight?.Ended.Count > 0;

    /// <summary>What a clone call at the head of the queue needs from its VMO's live ancestors.</summary>
    public Gathering? Gathering { get; set; }

    /// <summary>Told when a batch of changes of the layer has come to its end.</summary>
    public Action BatchEnded { get; set; } = () => { };

    /// <summary>Whether a change of these pages is in flight.</summary>
    public bool IsChanging(PageRange pages) => _layerFlight is not null && _flightRanges.Any(pages.Overlaps);

    /// <summary>Told of a clone that is decided and durable: its children come next, and then its answer.</summary>
    public Action<Change, VmoReply?> Born { get; set; } = (_, _) => { };

    /// <summary>Whether a clone is under way: only its own steps are sent.</summary>
    public bool IsBearing => state.Record.Intent is not null;

    /// <summary>Told when what another VMO of the family has told is durable.</summary>
    public Action FamilyChanged { get; set; } = () => { };

    /// <summary>Told when an internal change of the layer has come to its end.</summary>
    public Action UpkeepDone { get; set; } = () => { };

    public int Count => _queue.Count;

    public bool IsFlying => _layerFlight is not null || _recordFlight is not null || _stepFlight is not null;

    public bool IsIdle => _queue.Count == 0 && !IsFlying && !_isNoting;

    /// <summary>Bytes waiting.</summary>
    public int Bytes => _bytes;

    /// <summary>Whether the commit in flight changes an extent: it must stay in memory until it is published.</summary>
    public bool IsTouching(ulong extent) => _layerFlight?.IsTouching(extent) == true;

    /// <summary>Takes a change in, or answers it: known already, too old, no such handle, no room.</summary>
    public void Enqueue(Change change, Action<Change> addWaiters)
    {
        var request = change.Head.Request;
        if (!request.IsNone)
        {
            var ring = change.Target == CommitTarget.Layer ? state.Layer.Ring : state.Record.Ring;
            ring.Acknowledge(request, change.Head.AckedBelow);
            if (_inProgress.TryGetValue(request, out var same))
            {
                if (same.Digest == change.Digest)
                    addWaiters(same);
                else
                    Refuse(change, addWaiters, Reused(request));
                return;
            }

            if (ring.IsRefused(request))
            {
                Refuse(change, addWaiters, RefusedBefore(request));
                return;
            }

            if (ring.TryFind(request, out var entry))
            {
                // Decided by an owner before, and its children are still to be made: it waits for that as the first one would have.
                if (entry.Digest == change.Digest && state.Record.Intent?.Request == request)
                {
                    addWaiters(change);
                    _inProgress.Add(request, change);
                    Born(change, AgainOf(change, entry));
                    return;
                }

                Refuse(change, addWaiters, entry.Digest == change.Digest ? Outcome.Ok : Reused(request), AgainOf(change, entry));
                return;
            }

            if (ring.IsTooOld(request, state.Now.UnixMs))
            {
                Refuse(change, addWaiters, TooOld(request));
                return;
            }

            if (ring.IsFull)
            {
                Refuse(change, addWaiters, new(VmoStatus.ShouldWait, $"{ring.Count} answered requests are remembered, at most {RequestRing.EntriesMax}", 100));
                return;
            }
        }

        if (!change.IsInternal && (change as CallChange)?.Call is not OperatorHandleCall)
        {
            var outcome = Authority.Check(state.Record.Handles, change.Head.Secret, VmoRights.None, state.Now, out var handle);
            // A handle whose making is still in the queue is nobody's yet: it was not answered.
            if (!outcome.IsOk)
            {
                Refuse(change, addWaiters, outcome);
                return;
            }

            if (handle!.ConfirmByMs != 0 && (change as CallChange)?.Call is not ConfirmCall)
                heard(handle);
            if (_queue.Count >= Limits.QueueCallsPerVmoMax || _bytes + change.Bytes > Limits.QueueBytesPerVmoMax)
            {
                Refuse(change, addWaiters, new(VmoStatus.ShouldWait,
                    $"{_queue.Count} changes of {_bytes} bytes wait for the VMO; at most {Limits.QueueCallsPerVmoMax} and {Limits.QueueBytesPerVmoMax} bytes", 10));
                return;
            }
        }

        addWaiters(change);
        if (!request.IsNone)
            _inProgress.Add(request, change);
        _bytes += change.Bytes;
        _queue.AddLast(change);
    }

    /// <summary>Whether a request is being worked on, or was answered.</summary>
    public bool TryFind(RequestId request, out Change? change, out bool answered)
    {
        answered = state.Layer.Ring.TryFind(request, out _);
        return _inProgress.TryGetValue(request, out change) || answered;
    }

    /// <summary>Sends the next batch if nothing is in flight.</summary>
    public void Pump()
    {
        while (!IsFlying && !_isNoting && !IsBlocked() && !state.IsEnded && _queue.First is { } first)
        {
            if (first.Value is StepChange step)
            {
                SendStep(step);
                return;
            }

            if (IsBearing)
                return;
            if (first.Value.Target == CommitTarget.Layer ? !SendLayer() : !SendRecord())
                return;
        }
    }

    /// <summary>A step of a clone goes before everything that waits.</summary>
    public void EnqueueStep(StepChange step) => _queue.AddFirst(step);

    private void SendStep(StepChange step)
    {
        if (state.Now.MonotonicMs < _stepAgainMs)
            return;
        _queue.RemoveFirst();
        var commit = step.Build();
        (_stepFlight, _flightSeq, _flightLayer) = (step, commit.Seq, commit.Layer);
        state.Effects.Add(new SendCommit(commit, [], []));
    }

    // Put back, to be sent again: at once, or when the store has had time to recover.
    private void RetryStep(int afterMs)
    {
        _queue.AddFirst(_stepFlight!);
        _stepFlight = null;
        _stepAgainMs = state.Now.MonotonicMs + afterMs;
    }

    public void CommitDone(CommitOutcome outcome)
    {
        if (_stepFlight is { } step && outcome is not (CommitOutcome.Applied or CommitOutcome.Fenced or CommitOutcome.Stale)
            && (step.IsIdempotent || outcome != CommitOutcome.Unknown))
        {
            if (step.Failed is { } failed)
            {
                _stepFlight = null;
                failed();
                Pump();
            }
            else
            {
                RetryStep(StepPauseMs);
            }

            return;
        }

        switch (outcome)
        {
            case CommitOutcome.Applied:
                Publish();
                break;
            case CommitOutcome.Unknown:
                state.Effects.Add(new SendSettle(FlightTarget, _flightLayer, _flightSeq, SettlePauseMs));
                return;
            case CommitOutcome.Fenced:
            case CommitOutcome.Stale:
                FailFlight(Lost);
                End($"a commit was refused: {outcome}");
                return;
            case CommitOutcome.Full:
                FailFlight(new(VmoStatus.NoSpace, "the store is full; closing, decommitting and revoking still work"));
                break;
            default:
                FailFlight(new(VmoStatus.Io, $"the store refused the change ({outcome}); nothing was changed", 200));
                break;
        }

        Pump();
    }

    public void SettleDone(Settlement settlement)
    {
        if (settlement.Outcome is CommitOutcome.Unknown or CommitOutcome.Refused or CommitOutcome.Full)
        {
            state.Effects.Add(new SendSettle(FlightTarget, _flightLayer, _flightSeq, 10 * SettlePauseMs));
            return;
        }

        if (settlement is { Outcome: CommitOutcome.Applied, HasTakenEffect: true })
        {
            Publish();
        }
        else if (settlement.Outcome == CommitOutcome.Applied)
        {
            // It has not, and never will: its seq can never match again.
            if (_stepFlight?.SeqMoved is { } moved)
                moved(settlement.Seq);
            else
                SetSeq(FlightTarget == CommitTarget.Layer, settlement.Seq);
            if (_stepFlight is not null)
                RetryStep(0);
            else
                Requeue();
        }
        else
        {
            FailFlight(Lost);
            End($"a commit that expected seq {_flightSeq} was settled as {settlement.Outcome}");
            return;
        }

        Pump();
    }

    /// <summary>Whether the VMO stands in the session's list of unfinished work; false: that is being written.</summary>
    public bool TryNote()
    {
        if (!IsNoted && !_isNoteAsked)
        {
            _isNoteAsked = true;
            state.Effects.Add(new NoteUnfinished());
        }

        return IsNoted;
    }

    public void Noted(Outcome outcome)
    {
        var isNoting = _isNoting;
        (_isNoting, _isNoteAsked) = (false, false);
        IsNoted |= outcome.IsOk;
        if (outcome.IsOk || !isNoting)
        {
            Pump();
            return;
        }

        // The change that needed the note stands first; it has not been begun.
        if (_queue.First is { } first)
        {
            _queue.RemoveFirst();
            Settle(first.Value, outcome, null, isDurable: false);
            Pump();
        }
    }

    /// <summary>Answers everything that waits and stops.</summary>
    public void EndAll(Outcome outcome)
    {
        FailFlight(outcome, isInTheAir: true);
        foreach (var change in _queue.ToList())
            Settle(change, outcome, null, isDurable: false);
        _queue.Clear();
    }

    private CommitTarget FlightTarget => _stepFlight?.Target ?? (_layerFlight is null ? CommitTarget.Record : CommitTarget.Layer);

    private bool SendLayer()
    {
        state.Sight.Begin();
        var batch = new LayerBatch(state);
        var ranges = new List<PageRange>();
        foreach (var change in _queue)
        {
            if (change.Target != CommitTarget.Layer || change is StepChange || !IsReady(change))
                break;
            var range = Needs.ShownBy(state, change);
            if (!MayChange(range) || !batch.TryAdd(change))
                break;
            ranges.Add(range);
        }

        if (batch.Decided.Count == 0)
            return batch.IsTorn;
        var commit = batch.Finish(state.Owner);
        // A view of a parent was recalled while the batch was built over it: all of it is built anew, over what the parent shows now.
        if (batch.IsTorn || !TryEnterGates(commit is not null))
            return true;
        Take(batch.Decided.Count);
        if (commit is null)
        {
            foreach (var (change, outcome) in batch.Decided)
                Settle(change, outcome, null, isDurable: false);
            BatchEnded();
            return true;
        }

        (_layerFlight, _flightSeq, _flightLayer) = (batch, commit.Seq, commit.Layer);
        _flightRanges.Clear();
        _flightRanges.AddRange(ranges);
        state.Effects.Add(new SendCommit(commit, batch.Decided.SelectMany(decided => decided.Change.Waiting), _gates));
        return true;
    }

    // What the commit relies on must stay so until it has taken effect: no ancestor changes it meanwhile.
    private bool TryEnterGates(bool isCommit)
    {
        if (!state.Sight.IsStillSo)
            return false;
        if (!isCommit || state.Sight.Used.Count == 0)
            return true;
        var entered = new List<IGates>();
        foreach (var view in state.Sight.Used)
        {
            if (view.TryEnter())
            {
                entered.Add(view);
                continue;
            }

            entered.ForEach(gate => gate.Leave());
            return false;
        }

        _gates = entered;
        return true;
    }

    private void LeaveGates()
    {
        foreach (var gate in _gates)
            gate.Leave();
        _gates = [];
    }

    private bool SendRecord()
    {
        _isEndHeld = false;
        if (_queue.First!.Value is CallChange { Call: CloneCall clone } call && Gathering?.IsReady(call, clone) == false)
        {
            // It will be a birth: noted meanwhile, so that what was gathered need not wait for that.
            TryNote();
            return false;
        }

        var batch = new RecordBatch(state.Record, state.Layer, state.Now, Gathering?.Moment, Gathering?.Failure ?? default);
        foreach (var change in _queue)
        {
            if (change.Target != CommitTarget.Record || !batch.TryAdd(change))
                break;
        }

        if (batch.Finish(state.Owner) is not { } commit)
        {
            Take(batch.Decided.Count);
            foreach (var (change, outcome, reply) in batch.Decided)
                Settle(change, outcome, reply, isDurable: false);
            return true;
        }

        if (batch.NeedsNote && !TryNote())
        {
            // Whoever inherits our work must find this VMO before there is work to inherit.
            _isNoting = true;
            return false;
        }

        if (batch.Ended.Count > 0 && !MayEnd())
        {
            _isEndHeld = true;
            return false;
        }

        // An ancestor has changed this moment: all of them are asked again.
        if (batch.Gates is { } gates)
        {
            if (!gates.TryEnter())
                return true;
            _gates = [gates];
        }

        Take(batch.Decided.Count);
        (_recordFlight, _flightSeq, _flightLayer) = (batch, commit.Seq, commit.Layer);
        state.Effects.Add(new SendCommit(commit, batch.Decided.SelectMany(decided => decided.Change.Waiting), _gates));
        return true;
    }

    private void Publish()
    {
        if (_stepFlight is { } step)
        {
            _stepFlight = null;
            step.Applied();
            return;
        }

        if (_layerFlight is { } layer)
        {
            _layerFlight = null;
            LeaveGates();
            layer.Publish(state.Cache);
            foreach (var (change, outcome) in layer.Decided)
                Settle(change, outcome, null, isDurable: true);
            BatchEnded();
            return;
        }

        var record = _recordFlight!;
        _recordFlight = null;
        LeaveGates();
        record.Publish();
        foreach (var (change, outcome, reply) in record.Decided)
        {
            if (outcome.IsOk && record.IsBirth)
            {
                Gathering?.Ended(change, isBorn: true);
                Born(change, reply);
            }
            else
                Settle(change, outcome, reply, isDurable: true);
        }

        waits.Changed(record.Ended);
        if (record.Decided.Exists(decided => decided.Change is KinChange))
            FamilyChanged();
    }

    // What was not applied goes back to where it stood; a change that keeps failing is told so.
    private void Requeue()
    {
        var changes = _layerFlight is { } layer ? layer.Decided.Select(decided => decided.Change) : _recordFlight!.Decided.Select(decided => decided.Change);
        if (_layerFlight is not null)
            state.Layer.Dead.AddRange(_layerFlight.WrittenBlobs);
        if (_layerFlight is not null)
            state.Layer.NextBlob += (uint)_layerFlight.WrittenBlobs.Count();
        var back = changes.ToList();
        var areSomeLost = false;
        LeaveGates();
        (_layerFlight, _recordFlight) = (null, null);
        for (var i = back.Count - 1; i >= 0; i--)
        {
            var change = back[i];
            if (++change.Attempts > AttemptsMax)
            {
                Settle(change, new(VmoStatus.Io, $"the store did not take the change in {AttemptsMax} attempts; nothing was changed", 500), null, isDurable: false);
                areSomeLost = true;
                continue;
            }

            _bytes += change.Bytes;
            _queue.AddFirst(change);
        }

        // What they had asked back may be granted again.
        if (areSomeLost)
            BatchEnded();
    }

    // In the air: nobody knows yet whether the commit takes effect; its gates are left by whoever learns it.
    private void FailFlight(Outcome outcome, bool isInTheAir = false)
    {
        _stepFlight = null;
        if (_layerFlight is { } layer)
        {
            _layerFlight = null;
            if (!isInTheAir)
                LeaveGates();
            BatchEnded();
            state.Layer.Dead.AddRange(layer.WrittenBlobs);
            state.Layer.NextBlob += (uint)layer.WrittenBlobs.Count();
            foreach (var (change, decided) in layer.Decided)
                Settle(change, decided.IsOk ? outcome : decided, null, isDurable: false);
        }
        else if (_recordFlight is { } record)
        {
            _recordFlight = null;
            if (!isInTheAir)
                LeaveGates();
            foreach (var (change, decided, _) in record.Decided)
                Settle(change, decided.IsOk || record.HasEffect(change) ? outcome : decided, null, isDurable: false);
        }
    }

    private bool IsReady(Change change)
    {
        if (change.LoadsPending > 0)
            return false;
        if (!change.LoadFailure.IsOk)
            return true;
        return new Needs(state, loads, change, () => Pump()).AreMet();
    }

    private void Take(int count)
    {
        for (; count > 0; count--)
        {
            _bytes -= _queue.First!.Value.Bytes;
            _queue.RemoveFirst();
        }
    }

    /// <summary>Answers a change.</summary>
    public void Settle(Change change, Outcome outcome, VmoReply? reply, bool isDurable)
    {
        if (!change.Head.Request.IsNone)
            _inProgress.Remove(change.Head.Request);
        change.Settle(outcome, state.Layer.Seq, reply, state.Effects, fromMemory: !isDurable);
        if (change is UpkeepChange)
            UpkeepDone();
        (change as HolderChange)?.Done();
        (change as PinChange)?.Done((PinChange)change, outcome);
        Gathering?.Ended(change, isBorn: false);
    }

    private void Refuse(Change change, Action<Change> addWaiters, Outcome outcome, VmoReply? reply = null)
    {
        addWaiters(change);
        change.Settle(outcome, state.Layer.Seq, reply, state.Effects, fromMemory: true);
    }

    private void SetSeq(bool isLayer, ulong seq)
    {
        if (isLayer)
            state.Layer.Seq = seq;
        else
            state.Record.Seq = seq;
    }

    private void End(string reason)
    {
        state.IsEnded = true;
        state.Effects.Add(new EndActivation(reason, Release: false));
    }

    // What the call was answered, out of what the ring remembers.
    private VmoReply AgainOf(Change change, RingEntry entry) => change switch
    {
        CallChange { Call: CloneCall clone } => BirthPlan.Again(state.Record, state.Layer, clone, new(entry.Result), state.Now),
        CallChange { Call: RenewCall renew } => new() { Number = (ulong)renew.ExpiresMs, Version = state.Layer.Seq },
        _ => new() { Rights = (VmoRights)entry.Result, Version = state.Layer.Seq },
    };

    private Outcome TooOld(RequestId request) => new(VmoStatus.TimedOut, RequestRing.IsPastKeeping(request, state.Now.UnixMs)
        ? $"request {request} is {state.Now.UnixMs - request.IssuedMs} ms old by this silo's clock, and answers are remembered for {Limits.RequestKeepMs} ms; it is not run. If the call is new, the clocks of its client and of the silo differ"
        : $"request {request} was answered before, and its client had the answer; it is not run again");

    private static Outcome Reused(RequestId request) => new(VmoStatus.InvalidArgs, $"request {request} was used before with another body");

    /// <summary>The answer to a repeat of what was refused and yet changed something. Another body is refused with the same status.</summary>
    public static Outcome RefusedBefore(RequestId request) => new(VmoStatus.InvalidArgs, $"request {request} was refused before, and ended its handle");

    private static Outcome Lost { get; } = new(VmoStatus.Io, "the VMO has moved to another silo; nothing of this call was done here", 50);
}
