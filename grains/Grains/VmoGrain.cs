using System.Diagnostics;
using Orleans.Concurrency;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;
using VmoCluster.Grains.Families;
using VmoCluster.Grains.Serving;
using VmoCluster.Messages;

namespace VmoCluster.Grains;

/// <summary>
/// One VMO: takes the turn, asks the core, stores, answers. Reentrant, because a change waits for the store in the machine's queue and not in
/// a turn. It owns nothing until it is asked for something; then it acquires the VMO, or says why it cannot.
/// </summary>
[GrainType("vmo"), Reentrant, OnServingSilos]
public sealed class VmoGrain : Grain, IVmoGrain, IVmoUpkeepGrain, IOwningActivation
{
    // For how long after its time a tick may come.
    private static readonly TimeSpan TickSlack = TimeSpan.FromSeconds(5);

    // What is due later is not waited for in memory: it is done when the VMO is opened next.
    private static readonly TimeSpan WaitedForMost = TimeSpan.FromMinutes(10);

    // Changes waiting at a VMO from which on its kin must tell it later: more than what callers may fill, so that they do not shut kin out.
    private const int KinQueuedMost = 4 * Limits.QueueCallsPerVmoMax;

    private readonly VmoGrainServices _services;
    private TaskScheduler _scheduler = TaskScheduler.Current;
    private IGrainTimer? _timer;
    private long _timerDueMs = long.MaxValue;
    private VmoShell? _shell;
    private Task<Outcome>? _opening;
    private StoredHash? _tombstone;
    private bool _isGone;

    // The VMO is being released, and this activation goes to another silo.
    private Task _handedOver = Task.CompletedTask;
    private bool _isLeaving;

    // Counts how often this activation was told to give the VMO up, from any thread. A begin that sees it move begins nothing: it was told
    // while the VMO was still on its way to memory.
    private int _giveUps;

    public VmoGrain(VmoGrainServices services) => _services = services;

    private Koid Koid => new(unchecked((ulong)this.GetPrimaryKeyLong()));

    /// <inheritdoc/>
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _scheduler = TaskScheduler.Current;
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        await ReleaseAsync(reason.ReasonCode.ToString());
        await _handedOver;
    }

    /// <inheritdoc/>
    public ValueTask<ReadReplies> ReadAsync(ReadCalls reads, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        if (_shell?.TryRead(reads) is { } replies)
        {
            GrainTelemetry.CalledAtOnce("read", Koid, StatusOf(replies.Outcomes), started);
            return new(replies);
        }

        return new(AskAsync("read", CallLoads.Of(reads), new PendingReply<ReadReplies>(outcome => ReadReplies.Fail(outcome, reads.Items.Length)),
            ticket => new ReadInput(ticket, reads), reply => StatusOf(reply.Outcomes), RequestId.None, started));
    }

    /// <inheritdoc/>
    public ValueTask<ReadReplies> ReadPieceAsync(ReadPieceCall piece, CancellationToken cancellation) =>
        new(AskAsync("read", CallLoads.Of(piece, HasBegun(piece.Head)), new PendingReply<ReadReplies>(outcome => ReadReplies.Fail(outcome, 1)),
            ticket => new ReadPieceInput(ticket, piece), reply => StatusOf(reply.Outcomes), RequestId.None, Stopwatch.GetTimestamp()));

    /// <inheritdoc/>
    public ValueTask<WriteReplies> WriteAsync(WriteCalls writes, CancellationToken cancellation) =>
        new(AskAsync("write", CallLoads.Of(writes), new PendingReply<WriteReplies>(outcome => WriteReplies.Fail(outcome, writes.Items.Length)),
            ticket => new WriteInput(ticket, writes), reply => StatusOf(reply.Outcomes), RequestId.None, Stopwatch.GetTimestamp()));

    /// <inheritdoc/>
    public ValueTask<WriteReplies> WritePieceAsync(WritePieceCall piece, CancellationToken cancellation) =>
        new(AskAsync("write", CallLoads.Of(piece, HasBegun(piece.Head)), new PendingReply<WriteReplies>(outcome => WriteReplies.Fail(outcome, 1)),
            ticket => new WritePieceInput(ticket, piece), reply => StatusOf(reply.Outcomes), RequestId.None, Stopwatch.GetTimestamp()));

    /// <inheritdoc/>
    public ValueTask<VmoReply> CallAsync(VmoCall call, CancellationToken cancellation) => call switch
    {
        InfoCall { Topic: InfoTopic.Vmo } info => InfoAsync(info),
        TreeCall tree => TreeAsync(tree, cancellation),
        ExplainCall explain => ExplainAsync(explain, cancellation),
        _ => AskAsync(call),
    };

    /// <inheritdoc/>
    public async ValueTask<Outcome> TellAsync(KinMessage message, long lineage)
    {
        // A family may be a million VMOs. Whoever is not heard tells again, as if the message had been lost.
        if (_shell?.Machine.QueuedCount >= KinQueuedMost)
            return new(VmoStatus.ShouldWait, $"{KinQueuedMost} changes wait for the VMO", 100);
        var reply = await AskAsync("kin", CallLoads.Uncounted, new PendingReply<VmoReply>(outcome => new() { Outcome = outcome }),
            ticket => new KinInput(ticket, message), told => told.Outcome.Status, RequestId.None, Stopwatch.GetTimestamp(), lineage);
        if (!_isGone || !GoesBy(lineage))
            return reply.Outcome;
        return message.IsToldWhenGone ? Outcome.Ok : new(VmoStatus.NotFound, "the VMO is gone");
    }

    /// <inheritdoc/>
    public ValueTask<GrantReply> GrantAsync(GrantCall call, IGrantHolder holder)
    {
        _services.Holders.Note(call.Session, holder);
        return new(AskAsync("grant", CallLoads.Uncounted, new PendingReply<GrantReply>(outcome => new() { Outcome = outcome }),
            ticket => new GrantInput(ticket, call), reply => reply.Outcome.Status, RequestId.None, Stopwatch.GetTimestamp()));
    }

    /// <inheritdoc/>
    public ValueTask<PinReply> PinAsync(PinCall call, IGrantHolder holder, long lineage)
    {
        _services.Holders.Note(call.Session, holder);
        return new(AskAsync("pin", CallLoads.Uncounted, new PendingReply<PinReply>(outcome => new() { Outcome = outcome }),
            ticket => new PinInput(ticket, call), reply => reply.Outcome.Status, RequestId.None, Stopwatch.GetTimestamp(), lineage));
    }

    /// <inheritdoc/>
    public async ValueTask<ForwardReply> ForwardAsync(ForwardCall forward)
    {
        var outcome = await OpenAsync();
        var secret = default(HandleSecret);
        if (outcome.IsOk && _shell is { } shell)
            outcome = shell.Machine.Admit(forward.Pass, HandleSecret.Create(), _services.Now, out secret);
        if (!outcome.IsOk)
            return new() { Outcome = outcome };
        return forward switch
        {
            { Reads: { } reads } => new() { Reads = await ReadAsync(new() { Head = reads.Head with { Secret = secret }, Items = reads.Items }, CancellationToken.None) },
            { ReadPiece: { } piece } => new()
            {
                Reads = await ReadPieceAsync(new() { Head = piece.Head with { Secret = secret }, Whole = piece.Whole, Piece = piece.Piece }, CancellationToken.None),
            },
            { Writes: { } writes } => new()
            {
                Writes = await WriteAsync(new() { Head = writes.Head with { Secret = secret }, Items = writes.Items, Data = writes.Data }, CancellationToken.None),
            },
            { WritePiece: { } piece } => new()
            {
                Writes = await WritePieceAsync(
                    new() { Head = piece.Head with { Secret = secret }, Offset = piece.Offset, Length = piece.Length, Piece = piece.Piece, Data = piece.Data }, CancellationToken.None),
            },
            { Call: OpRangeCall or GetSizeCall or SetSizeCall or GetContentSizeCall or SetContentSizeCall } =>
                new() { Reply = await AskAsync(forward.Call with { Head = forward.Call.Head with { Secret = secret } }) },
            _ => new() { Outcome = new(VmoStatus.InvalidArgs, "only calls that concern pages and sizes are handed on") },
        };
    }

    /// <inheritdoc/>
    public async ValueTask<Koid> NearestLivingAsync()
    {
        var opened = await OpenAsync();
        if (_isGone)
            return Koid.None;
        if (!opened.IsOk || _shell is not { } shell)
            throw new VmoException(opened.IsOk ? VmoStatus.Io : opened.Status, opened.Message ?? "the VMO is moving");
        if (!shell.Machine.IsDying)
            return Koid;
        return shell.Machine.Parent.IsNone ? Koid.None : await _services.Kin.NearestLivingAsync(shell.Machine.Parent);
    }

    private async ValueTask<VmoReply> InfoAsync(InfoCall call)
    {
        var reply = await AskAsync(call);
        if (reply.Info is { Kind: VmoKind.Reference } reference)
            reply = await SizeAsync(call, reply, reference);
        // A root over nothing pays for itself alone, and knows it.
        if (reply.Info is { } charged && (charged.Kind != VmoKind.Root || _shell is { Machine.LooksBelow: true }))
            reply = await FamilyAnswers.ChargeAsync(_services.Store, reply, charged);
        // A snapshot whose parent is closed belongs to the nearest ancestor that lives.
        return reply.Info is { Kind: VmoKind.Snapshot, Parent.IsNone: false } info
            ? reply.With(info with { Parent = await _services.Kin.NearestLivingAsync(info.Parent) })
            : reply;
    }

    // A reference is as large as what it refers to.
    private async Task<VmoReply> SizeAsync(InfoCall call, VmoReply reply, VmoInfo info)
    {
        var size = await AskAsync(new GetSizeCall(call.Head));
        if (!size.Outcome.IsOk)
            return size;
        info = info with { Size = size.Number };
        if (info.ContentSize is null)
            return reply.With(info);
        var content = await AskAsync(new GetContentSizeCall(call.Head));
        return content.Outcome.IsOk ? reply.With(info with { ContentSize = content.Number }) : content;
    }

    // Who may count the handles may see the family.
    private async ValueTask<VmoReply> TreeAsync(TreeCall call, CancellationToken cancellation)
    {
        var allowed = await AskAsync(new InfoCall(call.Head, InfoTopic.HandleCount), CallNames.Of(call));
        return allowed.Outcome.IsOk ? await FamilyAnswers.TreeAsync(_services.Store, Koid, call.After, cancellation) : new() { Outcome = allowed.Outcome };
    }

    // Who may read the page may know where it comes from.
    private async ValueTask<VmoReply> ExplainAsync(ExplainCall call, CancellationToken cancellation)
    {
        var offset = call.Page > ulong.MaxValue / Limits.PageBytes ? ulong.MaxValue : call.Page * Limits.PageBytes;
        var read = await AskAsync(CallNames.Of(call), CallLoads.Of(call), new PendingReply<ReadReplies>(outcome => ReadReplies.Fail(outcome, 1)),
            ticket => new ReadInput(ticket, new() { Head = call.Head, Items = [new(offset, 1)] }), reply => StatusOf(reply.Outcomes), RequestId.None, Stopwatch.GetTimestamp());
        var outcome = read.Outcomes is [var first, ..] ? first : Outcome.Ok;
        return outcome.IsOk ? await FamilyAnswers.ExplainAsync(_services.Store, Koid, call.Page, cancellation) : new() { Outcome = outcome };
    }

    private ValueTask<VmoReply> AskAsync(VmoCall call, string? name = null) =>
        new(AskAsync(name ?? CallNames.Of(call), CallLoads.Of(call), new PendingReply<VmoReply>(outcome => new() { Outcome = outcome }),
            ticket => new CallInput(ticket, call), reply => reply.Outcome.Status, call.Head.Request, Stopwatch.GetTimestamp(), (call as CloneCall)?.Lineage));

    /// <inheritdoc/>
    public async ValueTask<CreateReply> CreateAsync(CreateCall create, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        using var activity = GrainTelemetry.Start("create", Koid);
        var reply = await CreateOnceAsync(create, cancellation);
        GrainTelemetry.Called("create", reply.Outcome.Status, started);
        return reply;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> WakeAsync(long lineage)
    {
        var outcome = await OpenAsync();
        if (!GoesBy(lineage))
            return false;
        if (!outcome.IsOk)
            return _isGone;
        _shell!.Tick();
        return true;
    }

    /// <inheritdoc/>
    public Task GiveUpAsync(string reason)
    {
        Interlocked.Increment(ref _giveUps);
        if (_shell is { } shell)
        {
            // From here on it answers nothing from memory and sends no commit; one that is on its way meets the fence. Its end is told in a
            // turn of its own, which is not waited for: an activation whose turns no longer come must not hold up the next owner.
            shell.GiveUp();
            _ = Task.Factory.StartNew(() => EndShell(shell, reason, release: false), CancellationToken.None, TaskCreationOptions.None, _scheduler);
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task HandOverAsync(string reason) => Task.Factory.StartNew(() => HandOverHereAsync(reason), CancellationToken.None, TaskCreationOptions.None, _scheduler).Unwrap();

    // Orleans waits for the release before it makes the activation elsewhere; calls that come meanwhile are sent after it.
    private async Task HandOverHereAsync(string reason)
    {
        if (_opening is { IsCompleted: false } opening)
            await opening;
        _handedOver = ReleaseAsync(reason);
        await _handedOver;
        this.MigrateOnIdle();
    }

    private async Task ReleaseAsync(string reason)
    {
        if (_shell is { } resting)
            await resting.RestAsync();
        _isLeaving = true;
        if (_shell is { } shell)
        {
            _shell = null;
            await LetGoAsync(shell, reason, release: true);
        }
    }

    // Whether a piece belongs to a large read or write that was let in before.
    private bool HasBegun(CallHead head) => _shell?.Machine.HasBegun(head) == true;

    // What the silo has too much of is refused here, before anything is opened or loaded for it.
    private async Task<T> AskAsync<T>(
        string call, CallLoad load, PendingReply<T> ticket, Func<Ticket, VmoInput> input, Func<T, VmoStatus> status, RequestId request, long started, long? lineage = null)
    {
        if (load.Calls == 0)
            return await AskAsync(call, ticket, input, status, request, started, lineage);
        var admitted = _services.Calls.TryEnter(load);
        if (!admitted.IsOk)
        {
            GrainTelemetry.Called(call, admitted.Status, started);
            ticket.Fail(admitted);
            return await ticket.Task;
        }

        try
        {
            return await AskAsync(call, ticket, input, status, request, started, lineage);
        }
        finally
        {
            _services.Calls.Leave(load);
        }
    }

    private async Task<T> AskAsync<T>(
        string call, PendingReply<T> ticket, Func<Ticket, VmoInput> input, Func<T, VmoStatus> status, RequestId request, long started, long? lineage = null)
    {
        using var activity = GrainTelemetry.Start(call, Koid);
        var opened = _shell is { IsValid: true } ? Outcome.Ok : await OpenAsync();
        if (lineage is { } theirs && !GoesBy(theirs) && (opened.IsOk || _isGone))
            opened = new(VmoStatus.ShouldWait, "the silos have not yet seen the same primary of the store", 100);
        // Between opening and this turn the VMO may have been lost again.
        if (opened.IsOk && _shell is { } shell)
        {
            var reply = await shell.AskAsync(ticket, input(ticket));
            GrainTelemetry.Called(call, status(reply), started);
            activity?.SetTag("vmo.status", status(reply).ToZxName());
            return reply;
        }

        if (_isGone && (lineage is not { } known || GoesBy(known)))
            opened = VmoMachine.FromTombstone(_tombstone, request);
        else if (opened.IsOk)
            opened = new(VmoStatus.Io, "the VMO is moving; try again", 20);
        ticket.Fail(opened);
        GrainTelemetry.Called(call, opened.Status, started);
        activity?.SetTag("vmo.status", opened.Status.ToZxName());
        return await ticket.Task;
    }

    private async Task<CreateReply> CreateOnceAsync(CreateCall create, CancellationToken cancellation)
    {
        if (_shell is null && !_isGone)
        {
            var outcome = await BeginAsync(create, cancellation);
            if (!outcome.IsOk)
                return new() { Outcome = outcome };
        }

        // Made just now, or by an earlier try of the same call: the handle it asked for tells.
        var info = await CallAsync(new InfoCall(create.Head with { Request = RequestId.None }, InfoTopic.HandleBasic), cancellation);
        if (_isGone && VmoMachine.FromTombstone(_tombstone, create.Head.Request).IsOk)
            return new() { Outcome = new(VmoStatus.Ok), Koid = Koid };
        if (!info.Outcome.IsOk)
            return new() { Outcome = info.Outcome };
        var size = await CallAsync(new GetSizeCall(create.Head with { Request = RequestId.None }), cancellation);
        return new() { Outcome = size.Outcome, Koid = Koid, Size = size.Number, Rights = info.Rights };
    }

    private async Task<Outcome> BeginAsync(CreateCall create, CancellationToken cancellation)
    {
        var giveUps = Volatile.Read(ref _giveUps);
        if (_services.Moves.IsLeaving)
            return await OpenHereAsync();
        if (_services.Ownership.EnterNew(Koid, this) is not { } owner)
            return new(VmoStatus.ShouldWait, "the silo has no session at present", 200);
        if (_services.Session.LineageOf(owner.Session) != create.Lineage)
        {
            await _services.Ownership.LeaveAsync(Koid, owner, this, leftBy: null);
            return new(VmoStatus.ShouldWait, "the silos have not yet seen the same primary of the store", 100);
        }

        var creation = VmoCreation.Root(Koid, create, _services.Now);
        try
        {
            await _services.Sessions.NoteUnfinishedAsync(owner.Session, Koid, cancellation);
            if (await _services.Store.CreateAsync(Koid, owner, creation.Layer, creation.LayerFields, creation.RecordFields, isPromised: false, cancellation))
            {
                return Begin(VmoMachine.Created(creation, owner, _services.Memory), giveUps, leftBefore: 0);
            }
        }
        catch (Exception exception) when (exception is StoreException or OperationCanceledException)
        {
            await _services.Ownership.LeaveAsync(Koid, owner, this, leftBy: null);
            return new((exception as StoreException)?.Status ?? VmoStatus.Io, exception.Message, 200);
        }

        await _services.Ownership.LeaveAsync(Koid, owner, this, leftBy: null);
        var opened = await OpenAsync();
        return _isGone ? Outcome.Ok : opened;
    }

    // One opening at a time; everyone who comes meanwhile waits for the same.
    private Task<Outcome> OpenAsync()
    {
        if (_shell is { IsValid: true })
            return Task.FromResult(Outcome.Ok);
        return _opening is { IsCompleted: false } ? _opening : _opening = OpenHereAsync();
    }

    // An activation that owns nothing, on a silo that can own nothing: it goes where it can. To end it would not be enough. Others remember
    // where it was, and a call that comes finds it made anew right here.
    private async Task<Outcome> OpenHereAsync()
    {
        // Called by somebody who remembers it here, before or after it was made elsewhere.
        if (_services.Moves.IsLeaving)
        {
            this.MigrateOnIdle();
            return new(VmoStatus.ShouldWait, "the VMO's silo leaves; it goes to another", 20);
        }

        var outcome = await OpenOnceAsync();
        if (!outcome.IsOk && _services.Moves.TryBegin())
            this.MigrateOnIdle();
        return outcome;
    }

    // A silo that has not yet seen that the store has lost its latest past knows of it what is not so any more: it tells nobody who has, and is told nothing
    // by him.
    private bool GoesBy(long lineage) => _services.Session.LineageOf(_shell?.Machine.Owner.Session ?? _services.Session.Id) == lineage;

    private async Task<Outcome> OpenOnceAsync()
    {
        if (_isLeaving)
            return new(VmoStatus.ShouldWait, "the VMO is on its way to another silo", 20);
        if (_shell is { } stale)
        {
            _shell = null;
            _ = LetGoAsync(stale, "the silo's session is not valid", release: false);
        }

        // What was read earlier may have been read in a past that the store has lost.
        (_isGone, _tombstone) = (false, null);

        try
        {
            var giveUps = Volatile.Read(ref _giveUps);
            var acquired = await _services.Ownership.AcquireAsync(Koid, this, CancellationToken.None);
            switch (acquired.Kind)
            {
                case AcquireKind.Acquired:
                    return await LoadAsync(acquired, giveUps);
                case AcquireKind.Wait:
                    return new(VmoStatus.ShouldWait, "the VMO is on its way from another silo", acquired.RetryAfterMs);
                default:
                    (_isGone, _tombstone) = (true, acquired.Record);
                    DeactivateOnIdle();
                    return VmoMachine.FromTombstone(null, RequestId.None);
            }
        }
        catch (StoreException exception)
        {
            return new(exception.Status, exception.Message, 200);
        }
    }

    // It is noted under its first owner's session from here on. Where this does not get through it is woken once more, and struck off then.
    private async Task StrikeNewbornAsync()
    {
        try
        {
            await _services.Sessions.ClearUnfinishedAsync(ISessionStore.Newborns, Koid, CancellationToken.None);
        }
        catch (StoreException)
        {
        }
    }

    private async Task<Outcome> LoadAsync(Acquisition acquired, int giveUps)
    {
        try
        {
            var record = acquired.Record!;
            // The record's top is a hint: a frozen layer names the one that follows it.
            var top = VmoMachine.TopOf(record);
            var layer = await HeadAsync(top);
            while (VmoMachine.NextOf(top, layer) is { } next)
                (top, layer) = (next, await HeadAsync(next));
            var machine = VmoMachine.Acquired(record, top, layer, acquired.Owner, acquired.Previous, _services.Memory);
            if (machine.NeedsNote)
            {
                await _services.Sessions.NoteUnfinishedAsync(acquired.Owner.Session, Koid, CancellationToken.None);
                machine.IsNoted = true;
                if (acquired.Previous.Epoch == 0)
                    _ = StrikeNewbornAsync();
            }

            return Begin(machine, giveUps, LeftBefore(acquired));
        }
        catch (StoreException exception)
        {
            await _services.Ownership.LeaveAsync(Koid, acquired.Owner, this, LeftBefore(acquired));
            return new(exception.Status, exception.Message, 200);
        }
        catch (InvalidDataException exception)
        {
            GrainLog.Damaged(_services.Logger, Koid.Value, exception);
            await _services.Ownership.LeaveAsync(Koid, acquired.Owner, this, LeftBefore(acquired));
            return new(VmoStatus.DataLoss, $"VMO {Koid} is damaged in the store: {exception.Message}");
        }
    }

    private async Task<StoredHash> HeadAsync(LayerId layer) =>
        await _services.Store.LoadLayerAsync(layer, VmoMachine.HeadNames, CancellationToken.None)
        ?? throw new InvalidDataException($"layer {layer}, the top by the record, is not in the store");

    private Outcome Begin(VmoMachine machine, int giveUps, uint leftBefore)
    {
        VmoShell? shell = null;
        shell = new(_services, machine, (reason, release) => EndShell(shell!, reason, release), WakeIn);
        _shell = shell;
        _services.Telemetry.Activated(1);
        GrainLog.Opened(_services.Logger, Koid.Value, machine.Owner.ToString());

        // Whoever tells this activation to give up counts first and looks for the shell second; here the shell stands first and the count is
        // read second. So one of the two sees the other, and nothing is answered by an activation that has already been told.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _giveUps) != giveUps)
        {
            EndShell(shell, "it was given up on its way to memory", release: true, leftBefore);
            return new(VmoStatus.ShouldWait, "the VMO is on its way to another silo", 20);
        }

        shell.Tick();
        return Outcome.Ok;
    }

    private void EndShell(VmoShell shell, string reason, bool release, uint? leftBy = null)
    {
        if (!ReferenceEquals(_shell, shell))
            return;
        _shell = null;
        DeactivateOnIdle();
        _ = LetGoAsync(shell, reason, release, leftBy);
    }

    // An owner that has loaded nothing has written nothing: what may be left is of those before.
    private static uint LeftBefore(Acquisition acquired) => acquired.Record!.Formers is [.., var last] ? last : 0;

    // Left by: whoever has, where that is not to be found out here.
    private async Task LetGoAsync(VmoShell shell, string reason, bool release, uint? leftBy = null)
    {
        // Blobs still on their way might arrive after the next owner has looked for them: that one asks by letter, which is answered when they have.
        var machine = shell.Machine;
        leftBy = !release || machine.IsInTheAir ? null : leftBy ?? (machine.KnowsGarbage ? machine.Owner.Nonce : 0);
        shell.End(new(VmoStatus.Io, $"the VMO is moving ({reason}); try again", 20));
        _services.Telemetry.Activated(-1);
        GrainLog.LetGo(_services.Logger, Koid.Value, reason);
        await _services.Ownership.LeaveAsync(Koid, machine.Owner, this, leftBy);
        shell.Dispose();
    }

    private void WakeIn(long milliseconds)
    {
        var now = _services.Now.MonotonicMs;
        if (milliseconds == long.MaxValue || (_timerDueMs > now && _timerDueMs <= now + milliseconds))
            return;
        // Timers run for at most seven weeks; a longer wait is made of several.
        var due = Math.Min(milliseconds, 1L << 31);
        _timerDueMs = now + due;
        // Somebody would have to open it again for that.
        if (TimeSpan.FromMilliseconds(due) is var wait && wait <= WaitedForMost)
            DelayDeactivation(wait + TickSlack);
        if (_timer is null)
        {
            _timer = this.RegisterGrainTimer(
                static (grain, _) =>
                {
                    grain._timerDueMs = long.MaxValue;
                    grain._shell?.Tick();
                    return Task.CompletedTask;
                },
                this,
                new() { DueTime = TimeSpan.FromMilliseconds(due), Period = Timeout.InfiniteTimeSpan, Interleave = true });
        }
        else
        {
            _timer.Change(TimeSpan.FromMilliseconds(due), Timeout.InfiniteTimeSpan);
        }
    }

    private static VmoStatus StatusOf(Outcome[]? outcomes)
    {
        foreach (var outcome in outcomes ?? [])
        {
            if (!outcome.IsOk)
                return outcome.Status;
        }

        return VmoStatus.Ok;
    }
}
