using System.Diagnostics;
using VmoCluster.Core;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Grains;

/// <summary>
/// Runs one machine: executes its effects, feeds results back, and checks the silo's lease in the turn of each answer that comes from memory.
/// All of it happens in turns of one scheduler, one at a time.
/// </summary>
internal sealed class VmoShell : IDisposable
{
    // Between tries of what the store has not refused, but something else.
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(200);

    // For how long a change on its way is waited for when the VMO is handed over, and how often that is looked at.
    private static readonly TimeSpan RestMost = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RestStep = TimeSpan.FromMilliseconds(2);

    /// <summary>Children written with one wait.</summary>
    private const int ChildrenAtOnce = 1000;

    private readonly VmoGrainServices _services;
    private readonly VmoMachine _machine;
    private readonly Action<string, bool> _ended;
    private readonly Action<long> _wakeIn;
    private readonly CancellationTokenSource _end = new();
    private readonly CancellationToken _stopped;

    // Notes and their clearing reach the store in the order they were asked for.
    private Task _notes = Task.CompletedTask;

    // What is to be stepped, and whether a step is under way.
    private readonly Queue<VmoInput> _inputs = [];
    private bool _isFed;
    private int _queuedTold;
    private long _keptTold;

    // Set from any thread: from then on nothing is answered from memory, and no commit is sent.
    private volatile bool _isGivenUp;

    /// <param name="services">The silo's.</param>
    /// <param name="machine">The machine to run.</param>
    /// <param name="ended">Told once when it has come to its end: why, and whether the VMO may be released.</param>
    /// <param name="wakeIn">Told after each step in how many milliseconds a tick is worth while.</param>
    public VmoShell(VmoGrainServices services, VmoMachine machine, Action<string, bool> ended, Action<long> wakeIn)
    {
        _services = services;
        _machine = machine;
        _ended = ended;
        _wakeIn = wakeIn;
        _stopped = _end.Token;
    }

    public VmoMachine Machine => _machine;

    /// <summary>Whether an answer from memory is true now.</summary>
    public bool IsValid => !_isGivenUp && !_machine.IsEnded && _services.Session.IsValid(_machine.Owner.Session);

    /// <summary>The way of every warm read: one turn, no waiting; null when something is not in memory.</summary>
    public ReadReplies? TryRead(ReadCalls reads) => IsValid ? _machine.TryRead(reads, _services.Now) : null;

    /// <summary>Takes a call and its ticket.</summary>
    public Task<T> AskAsync<T>(PendingReply<T> ticket, VmoInput input)
    {
        ticket.Span = Activity.Current?.Context ?? default;
        if (IsValid)
            Feed(input);
        else
            LoseLease(ticket);
        return ticket.Task;
    }

    /// <summary>Time has passed.</summary>
    public void Tick() => Feed(TickInput.Value);

    /// <summary>Begins no change any more, and comes back when none is on its way, or after half a second. Reads are answered meanwhile.</summary>
    public async Task RestAsync()
    {
        _machine.IsResting = true;
        var began = _services.Time.GetTimestamp();
        while (_machine.IsInTheAir && IsValid && _services.Time.GetElapsedTime(began) < RestMost)
            await Task.Delay(RestStep, _services.Time);
    }

    /// <summary>Stops answering and committing, from any thread.</summary>
    public void GiveUp() => _isGivenUp = true;

    /// <summary>Ends the machine; everything that waits is answered.</summary>
    public void End(Outcome outcome)
    {
        GiveUp();
        if (_stopped.IsCancellationRequested)
            return;
        Execute(_machine.End(outcome, _services.Now));
        _end.Cancel();
        _services.Telemetry.Queued(-_queuedTold);
        _services.Calls.Count(-_keptTold);
        (_queuedTold, _keptTold) = (0, 0);
    }

    /// <inheritdoc/>
    public void Dispose() => _end.Dispose();

    // A step is never taken within another: what is done at once waits until the effects before it have been carried out, too.
    private void Feed(VmoInput input)
    {
        _inputs.Enqueue(input);
        if (_isFed)
            return;
        _isFed = true;
        try
        {
            while (_inputs.TryDequeue(out var next))
                Step(next);
        }
        finally
        {
            _isFed = false;
        }
    }

    private void Step(VmoInput input)
    {
        EndWithSession();
        if (_stopped.IsCancellationRequested && input is not (ReadInput or ReadPieceInput or WriteInput or WritePieceInput or CallInput or GrantInput or KinInput or PinInput))
            return;
        try
        {
            Execute(_machine.Step(input, _services.Now));
        }
        catch (Exception exception)
        {
            // The machine's state can no longer be trusted, whatever it was: what it holds is given up, the store has the truth.
            GrainLog.Broken(_services.Logger, _machine.Koid.Value, exception);
            GrainTelemetry.Broken();
            _ended("a belief of the core turned out false", false);
            return;
        }

        _services.Telemetry.Queued(_machine.QueuedCount - _queuedTold);
        _queuedTold = _machine.QueuedCount;
        if (_machine.KeptBytes != _keptTold)
            _services.Calls.Count(_machine.KeptBytes - _keptTold);
        _keptTold = _machine.KeptBytes;
        if (!_machine.IsEnded)
            _wakeIn(_machine.NextTickMs);
    }

    private void Execute(List<VmoEffect> effects)
    {
        foreach (var effect in effects)
        {
            switch (effect)
            {
                case Answer answer:
                    Tell(answer);
                    break;
                case LoadLeaves load:
                    _ = LoadAsync(load);
                    break;
                case ScanLeaves scan:
                    _ = ScanAsync(scan);
                    break;
                case CountFields count:
                    _ = CountAsync(count);
                    break;
                case LoadFrozen load:
                    _ = LoadAsync(load);
                    break;
                case LoadLive load:
                    _ = LoadAsync(load);
                    break;
                case Gather gather:
                    _ = GatherAsync(gather);
                    break;
                case Recall recall:
                    _ = RecallAsync(recall);
                    break;
                case FindDead find:
                    _ = FindAsync(find);
                    break;
                case LoadFields load:
                    _ = LoadAsync(load);
                    break;
                case LoadBlobs load:
                    _ = LoadAsync(load);
                    break;
                case CreateChildren create:
                    _ = CreateAsync(create);
                    break;
                case TellKin tell:
                    _ = TellAsync(tell);
                    break;
                case SendForward forward:
                    _ = ForwardAsync(forward);
                    break;
                case DropLayer drop:
                    _ = DropAsync(drop);
                    break;
                case SendCommit send:
                    _ = CommitAsync(send);
                    break;
                case SendSettle settle:
                    _ = SettleAsync(settle);
                    break;
                case NoteUnfinished:
                    _notes = NoteAsync(_notes);
                    break;
                case ClearUnfinished:
                    _notes = ClearAsync(_notes);
                    break;
                case UnlinkBlobs unlink:
                    _ = UnlinkAsync(unlink);
                    break;
                case RemoveMarks remove:
                    _ = RemoveAsync(remove);
                    break;
                case Erase erase:
                    _ = EraseAsync(erase);
                    break;
                case EndActivation end:
                    _ended(end.Reason, end.Release);
                    break;
                default:
                    throw new InvariantException($"an effect of kind {effect.GetType().Name}");
            }
        }
    }

    private void Tell(Answer answer)
    {
        var ticket = (PendingReply)answer.Ticket;
        if (!answer.FromMemory || _machine.IsEnded || IsValid)
            ticket.Set(answer.Reply);
        else
            LoseLease(ticket);
    }

    private void LoseLease(PendingReply ticket)
    {
        ticket.Fail(new(VmoStatus.Io, "the silo's session is not valid at present; try again", 100));
        _ended("the silo's session is not valid", false);
    }

    // What was learned under a session that is over may be of a past that the store has lost: no step rests on it, and on what is learned now, both.
    private void EndWithSession()
    {
        if (_machine.Owner.Session != _services.Session.Id)
            _ended("the silo's session is another", false);
    }

    private async Task LoadAsync(LoadLeaves load)
    {
        try
        {
            var stored = await _services.Rooms.Reads.RunAsync(0, () => _services.Store.LoadLayerAsync(load.Layer, load.Names, _stopped));
            Feed(stored is null
                ? new LeavesLoaded(load, [], new(VmoStatus.DataLoss, $"layer {load.Layer} is not in the store"))
                : new LeavesLoaded(load, stored.Fields, Outcome.Ok));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            var outcome = Explain(exception);
            Feed(new LeavesLoaded(load, [], outcome));
        }
    }

    private async Task ScanAsync(ScanLeaves scan)
    {
        try
        {
            var fields = await _services.Rooms.Reads.RunAsync(0, () => ScanAsync(scan.Layer));
            Feed(new LeavesScanned(scan, fields, Outcome.Ok));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            var outcome = Explain(exception);
            Feed(new LeavesScanned(scan, [], outcome));
        }
    }

    private async ValueTask<List<StoreField>> ScanAsync(LayerId layer)
    {
        var fields = new List<StoreField>();
        await foreach (var portion in _services.Store.ScanLayerAsync(layer, FieldNames.LeafPrefix, _stopped))
            fields.AddRange(portion);
        return fields;
    }

    private async Task CountAsync(CountFields count)
    {
        try
        {
            Feed(new FieldsCounted(count, await _services.Rooms.Reads.RunAsync(0, () => _services.Store.CountFieldsAsync(count.Layer, _stopped)), Outcome.Ok));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            var outcome = Explain(exception);
            Feed(new FieldsCounted(count, 0, outcome));
        }
    }

    private async Task LoadAsync(LoadBlobs load)
    {
        var bytes = load.Reads.Sum(read => (long)read.Destination.Length);
        try
        {
            var found = await _services.Rooms.Reads.RunAsync(bytes, () => _services.Store.ReadBlobsAsync(load.Reads, _stopped));
            Feed(new BlobsLoaded(load, found, Outcome.Ok));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            var outcome = Explain(exception);
            Feed(new BlobsLoaded(load, [], outcome));
        }
    }

    private async Task LoadAsync(LoadFrozen load)
    {
        try
        {
            var shown = await _services.Frozen.LoadAsync(load.Layer, load.Extent);
            Feed(new FrozenLoaded(load, shown, Outcome.Ok));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            var outcome = Explain(exception);
            if (outcome.Status == VmoStatus.DataIntegrity)
                GrainLog.NotRead(_services.Logger, _machine.Koid.Value, exception.Message);
            Feed(new FrozenLoaded(load, null, outcome));
        }
    }

    private async Task LoadAsync(LoadLive load)
    {
        try
        {
            var (view, outcome) = await _services.Live.LoadAsync(load.Parent, load.Extent);
            Feed(new LiveLoaded(load, view, outcome));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            Feed(new LiveLoaded(load, null, Explain(exception)));
        }
    }

    private async Task GatherAsync(Gather gather)
    {
        try
        {
            var walk = await _services.Live.GatherAsync(gather);
            Feed(new Gathered(gather, walk.Levels, walk.Strays, walk.Failure));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            Feed(new Gathered(gather, [], [], Explain(exception)));
        }
    }

    private async Task RecallAsync(Recall recall)
    {
        var started = Stopwatch.GetTimestamp();
        Outcome outcome;
        try
        {
            outcome = await _services.Holders.RecallAsync(_machine.Koid, recall.Sessions, recall.Areas);
        }
        catch (Exception exception) // Whatever it is, the change that waits for it tries again, and not in the same breath.
        {
            outcome = Explain(exception);
            await Task.Delay(Rest, _services.Time);
        }

        GrainTelemetry.Recalled(outcome, started);
        if (!outcome.IsOk)
            GrainLog.WillRetry(_services.Logger, _machine.Koid.Value, "taking back what other silos hold", outcome.Message ?? "");
        Feed(new RecallDone(recall, outcome));
    }

    private async Task FindAsync(FindDead find)
    {
        try
        {
            var alive = await _services.Sessions.ReadSessionsAsync(_stopped);
            ulong[] dead = [.. find.Sessions.Where(session => !alive.ContainsKey(session))];
            if (dead.Length > 0)
                await _services.Holders.FenceAsync(_machine.Koid, dead);
            Feed(new DeadFound(find, dead));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            Explain(exception);
            Feed(new DeadFound(find, []));
        }
    }

    private async Task LoadAsync(LoadFields load)
    {
        try
        {
            Feed(new FieldsLoaded(load, await _services.Rooms.Reads.RunAsync(0, () => _services.Store.LoadLayerAsync(load.Layer, load.Names, _stopped)), Outcome.Ok));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            var outcome = Explain(exception);
            Feed(new FieldsLoaded(load, null, outcome));
        }
    }

    private async Task CreateAsync(CreateChildren create)
    {
        try
        {
            // Nobody owns a child yet: whoever is first asked for it takes it.
            foreach (var some in create.Children.Chunk(ChildrenAtOnce))
            {
                await Task.WhenAll(some.Select(child => _services.Store.CreateAsync(
                    child.Koid, default, child.Layer, child.LayerFields, child.RecordFields, isPromised: true, CancellationToken.None).AsTask())
                    .Concat(some.Where(child => child.MustBeConfirmed).Select(NoteNewbornAsync)));
            }

            Feed(new ChildrenCreated(create, Outcome.Ok));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            var outcome = Explain(exception);
            GrainLog.WillRetry(_services.Logger, _machine.Koid.Value, "making children", exception.Message);
            Feed(new ChildrenCreated(create, outcome));
        }
    }

    // Nobody may ever ask for it: then nobody owns it who could close the handle that was never confirmed.
    private async Task NoteNewbornAsync(VmoCreation child) =>
        await _services.Sessions.NoteUnfinishedAsync(ISessionStore.Newborns, child.Koid, CancellationToken.None);

    private async Task TellAsync(TellKin tell)
    {
        Outcome outcome;
        try
        {
            outcome = _services.Session.LineageOf(_machine.Owner.Session) is { } lineage
                ? await _services.Kin.TellAsync(tell.Target, tell.Message, lineage)
                : new(VmoStatus.Io, "the silo's session is not valid at present", 200);
        }
        catch (Exception exception) // Orleans' ways of not getting through are many; all of them mean: tell again.
        {
            outcome = new(VmoStatus.Io, exception.Message, 200);
        }

        if (!outcome.IsOk && tell.Message is not (Pin or IsPinned))
            GrainLog.WillRetry(_services.Logger, _machine.Koid.Value, "telling the family", outcome.Message ?? "");
        Feed(new KinTold(tell, outcome));
    }

    private async Task ForwardAsync(SendForward forward)
    {
        ForwardReply reply;
        try
        {
            reply = await _services.Kin.ForwardAsync(forward.Target, forward.Call);
        }
        catch (Exception exception) // Orleans' ways of not getting through are many; whether the call was done is not known, and its request id tells when it is repeated.
        {
            reply = new() { Outcome = new(VmoStatus.Io, $"VMO {forward.Target}, whose pages are shown, does not answer: {exception.Message}", 100) };
        }

        Feed(new ForwardDone(forward, reply));
    }

    private async Task DropAsync(DropLayer drop)
    {
        try
        {
            Feed(new LayerDropped(drop, await _services.Store.DropLayerAsync(
                _machine.Koid, _machine.Owner, drop.Layer, drop.Holder, drop.Field, CancellationToken.None)));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            GrainLog.WillRetry(_services.Logger, _machine.Koid.Value, "dropping a frozen layer", exception.Message);
            Feed(new LayerDropped(drop, false));
        }
    }

    private async Task CommitAsync(SendCommit send)
    {
        var commit = send.Commit;
        var bytes = commit.Blobs.Sum(blob => blob.Bytes.Sum(piece => (long)piece.Length));
        await _services.Rooms.Commits.EnterAsync(bytes);
        try
        {
            await SendAsync(send);
        }
        finally
        {
            _services.Rooms.Commits.Leave(bytes);
        }
    }

    private async Task SendAsync(SendCommit send)
    {
        var commit = send.Commit;
        // Not sent: as good as refused by the fence, for whoever made us give up goes on to take the VMO. And what relies on others' pages
        // relies on this silo's lease.
        if (_isGivenUp || (send.Gates.Count > 0 && !IsValid))
        {
            await Task.Yield();
            if (_stopped.IsCancellationRequested)
                LeaveGates(send);
            Feed(new CommitDone(CommitOutcome.Fenced));
            return;
        }

        var started = Stopwatch.GetTimestamp();
        var activity = GrainTelemetry.StartCommit(commit, send.Waiting);
        CommitOutcome outcome;
        try
        {
            outcome = await _services.Store.CommitAsync(commit);
        }
        catch (Exception exception) // Whatever it is, whether it has taken effect is found out by settling.
        {
            Explain(exception);
            outcome = CommitOutcome.Unknown;
        }

        GrainTelemetry.Committed(commit, outcome, started);
        activity?.SetTag("vmo.outcome", GrainTelemetry.NameOf(outcome)).Dispose();
        // What the machine begins now is for others.
        Activity.Current = null;
        EndWithSession();
        // The machine leaves the gates when it learns the outcome. If it has ended meanwhile, that is left to us; and if nobody knows the outcome,
        // to the end of this silo's session, which every recall waits for.
        if (_stopped.IsCancellationRequested && outcome != CommitOutcome.Unknown)
            LeaveGates(send);
        Feed(new CommitDone(outcome));
    }

    private static void LeaveGates(SendCommit send)
    {
        foreach (var gate in send.Gates)
            gate.Leave();
    }

    private async Task SettleAsync(SendSettle settle)
    {
        try
        {
            await Task.Delay(TimeSpan.FromMilliseconds(settle.AfterMs), _services.Time, _stopped);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        Settlement settlement;
        try
        {
            settlement = await _services.Store.SettleAsync(_machine.Koid, _machine.Owner, settle.Target, settle.Layer, settle.Seq);
        }
        catch (Exception exception) // Whatever it is, it is settled again.
        {
            Explain(exception);
            await Task.Delay(Rest, _services.Time);
            settlement = new(CommitOutcome.Unknown);
        }

        Feed(new SettleDone(settlement));
    }

    private async Task NoteAsync(Task before)
    {
        await before;
        try
        {
            await _services.Sessions.NoteUnfinishedAsync(_machine.Owner.Session, _machine.Koid, _stopped);
            Feed(new UnfinishedNoted(Outcome.Ok));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            var outcome = Explain(exception);
            Feed(new UnfinishedNoted(outcome));
        }
    }

    private async Task ClearAsync(Task before)
    {
        await before;
        // Under a session that is over it was noted in a past that the store may have lost: whoever inherits it strikes it off.
        if (_services.Session.Id != _machine.Owner.Session)
            return;
        try
        {
            // Not cancelled by the end: the last thing a destroyed VMO asks for is to be struck off.
            await _services.Sessions.ClearUnfinishedAsync(_machine.Owner.Session, _machine.Koid, CancellationToken.None);
        }
        catch (Exception exception)
        {
            // It stays on the list; whoever walks the list finds nothing to do.
            GrainLog.WillRetry(_services.Logger, _machine.Koid.Value, "clearing unfinished work", exception.Message);
        }
    }

    private async Task UnlinkAsync(UnlinkBlobs unlink)
    {
        try
        {
            GrainTelemetry.Unlinked(await _services.Store.UnlinkBlobsAsync(_machine.Fence, unlink.Layer, unlink.Blobs, unlink.AreFormersDone, _stopped));
            Feed(new BlobsUnlinked(unlink, Outcome.Ok));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            var outcome = Explain(exception);
            Feed(new BlobsUnlinked(unlink, outcome));
        }
    }

    private async Task RemoveAsync(RemoveMarks remove)
    {
        try
        {
            Feed(new MarksRemoved(remove, await _services.Store.RemoveFieldsAsync(
                _machine.Koid, _machine.Owner, CommitTarget.Layer, _machine.Layer, _machine.Fence.TopSeq, remove.Names, CancellationToken.None)));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            Explain(exception);
            Feed(new MarksRemoved(remove, false));
        }
    }

    private async Task EraseAsync(Erase erase)
    {
        try
        {
            Feed(new Erased(await _services.Store.EraseAsync(_machine.Koid, _machine.Owner, erase.Layers, erase.Tombstone, CancellationToken.None)));
        }
        catch (Exception exception) // Whatever it is, the machine waits for an answer.
        {
            GrainLog.WillRetry(_services.Logger, _machine.Koid.Value, "erasing", exception.Message);
            Feed(new Erased(false));
        }
    }

    private Outcome Explain(Exception exception)
    {
        switch (exception)
        {
            case StoreException store:
                return new(store.Status, store.Message, store.Status == VmoStatus.Io ? 200 : 0);
            case OperationCanceledException:
                return new(VmoStatus.Io, "the VMO is moving; try again", 20);
            case InvalidDataException damage:
                return new(VmoStatus.DataIntegrity, damage.Message);
            default:
                GrainLog.NotExplained(_services.Logger, _machine.Koid.Value, exception);
                GrainTelemetry.Broken();
                return new(VmoStatus.Internal, $"what the VMO had asked for ended with {exception.GetType().Name}");
        }
    }
}
