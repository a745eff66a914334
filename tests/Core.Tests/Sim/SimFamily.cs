using VmoCluster.Core.Live;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>
/// A family of VMOs in a simulation: real machines on a few silos over one store in memory, with faults by seed and crashes on demand. Effects
/// wait in a list; a seeded hand picks which comes next.
/// </summary>
public sealed class SimFamily
{
    public const int SiloCount = 3;

    private readonly Random _random;
    private readonly int _cachePages;
    private readonly SimSilo[] _silos = new SimSilo[SiloCount];
    private readonly List<(SimSilo At, Func<bool> Run)> _tasks = [];
    private readonly List<(SimActivation Asked, SimTicket Ticket)> _asked = [];
    private readonly Dictionary<Koid, SimActivation> _active = [];
    private readonly List<SimActivation> _stale = [];
    private readonly List<(SimActivation Of, VmoEffect Effect)> _pending = [];
    private readonly List<(int After, Action Run)> _late = [];
    private ulong _koids = 100;
    private ulong _sequence;
    private ulong _secrets;
    private readonly SimSessions _sessions = new();

    /// <param name="seed">Of all that is left to chance.</param>
    /// <param name="cachePages">Pages that each silo keeps.</param>
    /// <param name="hasLeases">Whether sessions live and die by leases and clocks, and messages and commits take their time; else a crash is known to all at once.</param>
    public SimFamily(int seed, int cachePages = 16, bool hasLeases = false)
    {
        (_random, _cachePages, HasLeases) = (new(seed), cachePages, hasLeases);
        for (var i = 0; i < SiloCount; i++)
            _silos[i] = NewSilo();
    }

    public SimStores Store { get; } = new();
    public bool HasLeases { get; }
    public SimCoverage Coverage { get; init; } = new();

    /// <summary>VMOs that a silo has in memory and would answer for from there now.</summary>
    public IEnumerable<(Koid Vmo, Func<ReadCalls, ReadReplies?> TryRead)> Answering => _active.Values.Concat(_stale).Where(one => !one.Silo.IsFrozen && HasLease(one.Silo) && !one.Machine.IsEnded)
        .ToList().Select(one => (one.Koid, (Func<ReadCalls, ReadReplies?>)(reads => one.Machine.TryRead(reads, NowAt(one.Silo)))));

    public SimBudget Budget { get; } = new();
    public long Milliseconds { get; set; } = 1_700_000_000_000;

    /// <summary>In how many of a hundred commits the outcome is unknown at first.</summary>
    public int UnknownPercent { get; set; }

    /// <summary>In how many of a hundred tellings among kin the answer is lost.</summary>
    public int LostPercent { get; set; }

    /// <summary>In how many of a hundred tellings among kin the message comes a second time, long after.</summary>
    public int RepeatPercent { get; set; }

    /// <summary>Before how many of a hundred things that happen a silo gives up grants, as many as its bytes might ask of it.</summary>
    public int TrimPercent { get; set; }

    /// <summary>Effects that take longer than all others: as long as this is so of one, it does not happen.</summary>
    public Func<VmoEffect, bool>? IsSlow { get; set; }

    /// <summary>Grants that were asked for so far.</summary>
    public int GrantsAsked { get; private set; }

    /// <summary>Grants that the silos of today have given up because they were too many.</summary>
    public long GrantsTrimmed => _silos.Sum(silo => silo.Grants.Trimmed);

    /// <summary>Walks over live ancestors for a snapshot so far, and those of them that asked ancestors to hold still.</summary>
    public int Walks { get; private set; }

    public int HeldWalks { get; private set; }

    /// <summary>In how many of a hundred VMOs what is named of ancestors is wrong, as a bad disk or a stale hint would have it.</summary>
    public int WrongHintsPercent
    {
        set => Store.Hints = value == 0 ? null : (new(_random.Next()), value);
    }

    /// <summary>Of each view that was put together, or could not be: in how many rounds ancestors were asked.</summary>
    public List<int> LiveRounds { get; } = [];

    /// <summary>A koid for each of some children.</summary>
    public Koid TakeKoids(int count)
    {
        var first = new Koid(_koids + 1);
        _koids += (ulong)Math.Max(count, 1);
        return first;
    }

    /// <summary>Recalls so far of all that silos hold of a VMO.</summary>
    public int WholeRecalls { get; private set; }

    /// <summary>Recalls that wait for somebody to leave a gate.</summary>
    public int RecallsWaiting { get; private set; }

    public Instant Now => new(Milliseconds, Milliseconds);

    public static CallHead Head(HandleSecret secret, RequestId request = default) => new(secret, request, 0, 15_000, Caller.Anonymous);

    public RequestId NextRequest() => new(99, ((ulong)Milliseconds << RequestId.CountBits) | ++_sequence);

    public HandleSecret NextSecret() => new(0xA5A5, ++_secrets);

    public VmoHandle CreateRoot(ulong size, VmoOptions options = VmoOptions.None, string name = "root")
    {
        var (koid, secret) = (new Koid(++_koids), NextSecret());
        var creation = VmoCreation.Root(koid, new() { Head = Head(secret), Size = size, Options = options, Name = name, Confirmed = true }, Now);
        Assert.True(Store.Create(creation, default));
        return new(koid, secret);
    }

    public (Outcome Outcome, VmoReply Reply, VmoHandle[] Handles) Clone(VmoHandle parent, int count, params CloneSpec[] specs)
    {
        var call = CloneCall(parent, count, specs);
        var reply = Call(parent.Koid, call);
        // As a client does: the same call again, with koids of its own.
        while (reply.Outcome.Status is VmoStatus.Io or VmoStatus.ShouldWait)
            reply = Call(parent.Koid, call with { First = TakeKoids(count) });
        VmoHandle[] handles = reply.Outcome.IsOk ? [.. Enumerable.Range(0, count).Select(i => new VmoHandle(new(reply.Koid.Value + (ulong)i), call.Seed.Child(i)))] : [];
        return (reply.Outcome, reply, handles);
    }

    /// <summary>A clone call as it comes from the handle registry, to be made once or more often.</summary>
    public CloneCall CloneCall(VmoHandle parent, int count, params CloneSpec[] specs)
    {
        return new(Head(parent.Secret, NextRequest()), specs, count, NextSecret(), Confirmed: true) { First = TakeKoids(count) };
    }

    public VmoReply Call(Koid koid, VmoCall call) => Ask<VmoReply>(koid, ticket => new CallInput(ticket, call));

    public Outcome Write(VmoHandle handle, ulong offset, byte[] data)
    {
        var request = NextRequest();
        return Repeat(() => Ask<WriteReplies>(handle.Koid, ticket => new WriteInput(ticket, new()
        {
            Head = Head(handle.Secret), Items = [new(request, offset, data.Length)], Data = data,
        })).Outcomes?[0] ?? Outcome.Ok);
    }

    public (Outcome Outcome, byte[] Data) Read(VmoHandle handle, ulong offset, int length)
    {
        var reads = new ReadCalls { Head = Head(handle.Secret), Items = [new(offset, length)] };
        var replies = new ReadReplies();
        var outcome = Repeat(() =>
        {
            replies = Peek(handle.Koid, reads) ?? Ask<ReadReplies>(handle.Koid, ticket => new ReadInput(ticket, reads));
            return replies.Outcomes?[0] ?? Outcome.Ok;
        });
        return (outcome, replies.Data);
    }

    public Outcome Op(VmoHandle handle, VmoOp op, ulong offset, ulong length) => Change(handle, new OpRangeCall(Head(handle.Secret, NextRequest()), op, new(offset, length)));

    public Outcome SetSize(VmoHandle handle, ulong size) => Change(handle, new SetSizeCall(Head(handle.Secret, NextRequest()), size));

    public Outcome Close(VmoHandle handle) => Change(handle, new CloseCall(Head(handle.Secret, NextRequest())));

    public ulong Size(VmoHandle handle)
    {
        var size = 0ul;
        Repeat(() =>
        {
            var reply = Call(handle.Koid, new GetSizeCall(Head(handle.Secret)));
            size = reply.Number;
            return reply.Outcome;
        });
        return size;
    }

    private Outcome Change(VmoHandle handle, VmoCall call) => Repeat(() => Call(handle.Koid, call).Outcome);

    // As a client does: the same call again, when nobody knows what became of it.
    private static Outcome Repeat(Func<Outcome> call)
    {
        var outcome = call();
        for (var again = 0; again < 20 && outcome.Status == VmoStatus.Io; again++)
            outcome = call();
        return outcome;
    }

    public VmoInfo Info(VmoHandle handle) => Call(handle.Koid, new InfoCall(Head(handle.Secret), InfoTopic.Vmo)).Info!;

    /// <summary>Asks and lets everything happen until the answer is there.</summary>
    public T Ask<T>(Koid koid, Func<Ticket, VmoInput> input)
    {
        var ticket = new SimTicket { Lost = Refusal<T>(new(VmoStatus.Io, "lost")), Gone = Refusal<T>(new(VmoStatus.BadHandle, "gone")) };
        Deliver(koid, ticket, input);
        for (var steps = 0; ticket.Reply is null; steps++)
        {
            Assert.True(steps < 20_000, "no answer after 20,000 effects");
            if (!RunOne())
                Advance(200);
        }

        return Assert.IsType<T>(ticket.Reply);
    }

    private static object Refusal<T>(Outcome outcome) => typeof(T) == typeof(WriteReplies) ? WriteReplies.Fail(outcome, 1)
        : typeof(T) == typeof(ReadReplies) ? ReadReplies.Fail(outcome, 1)
        : typeof(T) == typeof(PinReply) ? new PinReply { Outcome = outcome } : new VmoReply { Outcome = outcome };

    /// <summary>Lets a few of the things under way happen.</summary>
    public void RunSome(int effects)
    {
        for (; effects > 0; effects--)
            RunOne();
    }

    /// <summary>Lets time pass, and what it brings.</summary>
    public void Advance(long milliseconds)
    {
        Milliseconds += milliseconds;
        if (HasLeases)
            PassSessions();
        foreach (var activation in _active.Values.Concat(_stale).Where(one => !one.Silo.IsFrozen).ToList())
            Step(activation, TickInput.Value);
    }

    /// <summary>Runs until nothing is left to do.</summary>
    public void Settle(int effectsMost = 50_000)
    {
        WakeAll();
        var effects = 0;
        // A pin is asked about every few seconds until an answer comes through.
        for (int quiet = 0, rounds = 0; (quiet < 5 && rounds < 40) || (HasPins && rounds < 200);)
        {
            Assert.True(++effects < effectsMost, "the family never comes to rest");
            if (RunOne())
            {
                quiet = 0;
                continue;
            }

            (quiet, rounds) = (quiet + 1, rounds + 1);
            Advance(1100);
        }
    }

    /// <summary>A silo dies: what was on its way may still reach the store, or not. Others take over.</summary>
    public void Crash() => Crash(_random.Next(SiloCount));

    /// <summary>One silo dies.</summary>
    public void Crash(int which)
    {
        var silo = _silos[which];
        foreach (var (of, effect) in _pending.Where(pending => pending.Of.Silo == silo).ToArray())
        {
            Coverage.Count($"crash at {effect.GetType().Name}");
            _pending.Remove((of, effect));
            if (_random.Next(2) == 0)
                continue;
            // It was sent. Where a session's death takes its time, so may what it has sent.
            if (effect is SendCommit send && _random.Next(3) == 0)
                Sent(() => Store.SetBlobsAlone(send.Commit));
            else if (effect is SendCommit whole)
                Sent(() => Store.Commit(whole.Commit));
            if (effect is CreateChildren create)
                CreateSome(create);
        }

        foreach (var activation in _active.Values.Concat(_stale).Where(one => one.Silo == silo).ToArray())
            End(activation);
        silo.Inbox.Clear();
        silo.LeaseUntil = long.MinValue;
        _silos[which] = NewSilo();
        if (!HasLeases)
            WakeAll();
    }

    private void Sent(Func<CommitOutcome> commit)
    {
        if (!HasLeases)
            commit();
        else
            _late.Add((_random.Next(1, 600), () => Coverage.Count($"commit of a silo that had crashed: {commit()}")));
    }

    // Whoever asked it is told by the messaging that nobody answers.
    private void End(SimActivation activation)
    {
        activation.IsGone = true;
        if (_active.GetValueOrDefault(activation.Koid) == activation)
            _active.Remove(activation.Koid);
        _stale.Remove(activation);
        // Not sent.
        foreach (var gate in _pending.Where(pending => pending.Of == activation).Select(pending => pending.Effect).OfType<SendCommit>().SelectMany(send => send.Gates))
            gate.Leave();
        _pending.RemoveAll(pending => pending.Of == activation);
        foreach (var (_, ticket) in _asked.Where(asked => asked.Asked == activation && asked.Ticket.Reply is null).ToArray())
            ticket.Reply = ticket.Lost;
    }

    /// <summary>A silo stops for a while, as one that is paged out or has lost the network; its session may die meanwhile.</summary>
    public void Freeze(int which)
    {
        _silos[which].IsFrozen = true;
        Coverage.Count("freeze");
    }

    /// <summary>It goes on where it stood.</summary>
    public void Thaw(int which)
    {
        var silo = _silos[which];
        if (!silo.IsFrozen)
            return;
        silo.IsFrozen = false;
        Coverage.Count(_sessions.IsDead(silo.Session) ? "goes on after its session is dead" : "goes on");
        var inbox = silo.Inbox.ToArray();
        silo.Inbox.Clear();
        foreach (var message in inbox)
            message();
    }

    private bool HasLease(SimSilo silo) => silo.Clock(Milliseconds) < silo.LeaseUntil;

    private Instant NowAt(SimSilo silo) => new(Milliseconds, HasLeases ? silo.Clock(Milliseconds) : Milliseconds);

    private SimSilo NewSilo()
    {
        var silo = new SimSilo(_sessions.Open(), _cachePages, Budget, new(long.MaxValue, recallsMax: 4), HasLeases ? 0.99 + (0.02 * _random.NextDouble()) : 1);
        if (HasLeases)
            (silo.LeaseUntil, silo.RenewAt) = (silo.Clock(Milliseconds) + Limits.SessionLeaseMs, silo.Clock(Milliseconds));
        return silo;
    }

    // Renewals are sent and come back, each in its time; and every silo watches the others.
    private void PassSessions()
    {
        foreach (var silo in _silos.Where(silo => !silo.IsFrozen).ToArray())
        {
            var now = silo.Clock(Milliseconds);
            silo.Recalls.RemoveAll(recall => recall.Done.IsCompleted);
            // The letter asks for it, and no lease grows before it is done.
            if (silo.Recalls.Exists(recall => now - recall.Since > Limits.SessionLeaseMs))
            {
                Coverage.Count("session given up for a gate that is not left");
                _sessions.MarkDead(silo.Session);
                Declared(silo.Session);
                Renounce(silo);
                continue;
            }

            if (now >= silo.RenewAt)
            {
                silo.RenewAt = now + Limits.SessionRenewMs;
                _late.Add((_random.Next(0, 10), () =>
                {
                    var isAlive = _sessions.Renew(silo.Session);
                    Later(silo, () =>
                    {
                        if (isAlive)
                            silo.LeaseUntil = Math.Max(silo.LeaseUntil, now + Limits.SessionLeaseMs);
                        else
                            Renounce(silo);
                        return true;
                    });
                }));
            }

            foreach (var (session, counter) in _sessions.Alive.Where(other => other.Session != silo.Session).ToArray())
            {
                if (!silo.Seen.TryGetValue(session, out var seen) || seen.Counter != counter)
                    silo.Seen[session] = (counter, now);
                else if (now - seen.Since >= Limits.SessionLeaseMs + Limits.SessionMarginMs && _sessions.MarkDead(session, counter))
                    Declared(session);
            }
        }
    }

    // Others take its VMOs over from now on, when somebody asks for them. It does not know yet.
    private void Declared(ulong session)
    {
        Coverage.Count("session found dead");
        foreach (var activation in _active.Values.Where(one => one.Silo.Session == session).ToArray())
        {
            _active.Remove(activation.Koid);
            _stale.Add(activation);
            foreach (var (_, ticket) in _asked.Where(asked => asked.Asked == activation && asked.Ticket.Reply is null).ToArray())
                ticket.Reply = ticket.Lost;
        }

        if (Array.Find(_silos, silo => silo.Session == session) is { } silo)
            silo.Inbox.Clear();
    }

    // It has learned that its session is dead.
    private void Renounce(SimSilo silo)
    {
        silo.LeaseUntil = long.MinValue;
        silo.Grants.Lose(silo.Session);
        foreach (var activation in _active.Values.Concat(_stale).Where(one => one.Silo == silo).ToArray())
            End(activation);
        if (Array.IndexOf(_silos, silo) is >= 0 and var which)
            _silos[which] = NewSilo();
    }

    /// <summary>Somebody looks after every VMO, as the heirs of sessions do.</summary>
    public void WakeAll()
    {
        foreach (var koid in Store.Koids.ToList())
            Open(koid);
    }

    /// <summary>What stands in the store, for the message of a test that expects nothing.</summary>
    public string Describe() => string.Join('\n', Store.Koids.Select(koid =>
    {
        var record = Record.VmoRecord.Decode(Store.LoadRecord(koid));
        return $"{koid} of {record.Meta.Parent}: {record.State}, children {string.Join(',', record.Children.Snapshots.Koids)}, users "
            + string.Join(' ', record.Users.Select(users => $"{users.Key}:{string.Join(',', users.Value.Koids)}"))
            + string.Join(' ', record.Pins.Entries.Select(pin => $" pin of {pin.Layer} by {pin.Asker} at {pin.Stamp:x}: {string.Join(',', pin.Users.Koids)}"));
    }));

    /// <summary>What goes on, for the message of a test that waits for something.</summary>
    public string DescribeWork() => string.Join('\n', _silos.Select(silo => $"silo {silo.Session}: {(silo.IsFrozen ? "frozen" : "")} {(HasLease(silo) ? "" : "no lease")} {silo.Inbox.Count} to hear")
        .Concat(_active.Values.Concat(_stale).Select(one => $"{one.Koid} on {one.Silo.Session}{(_stale.Contains(one) ? ", stale" : "")}{(one.Machine.IsEnded ? ", ended" : "")}, owner {Store.OwnerOf(one.Koid)}, {one.Machine.QueuedCount} queued"))
        .Concat(_pending.Select(pending => $"{pending.Of.Koid}: {pending.Effect}"))
        .Append($"{_tasks.Count} tasks at {string.Join(' ', _tasks.Select(task => task.At.Session))}, {_late.Count} late, {RecallsWaiting} recalls, sessions {string.Join(' ', _sessions.Alive)}"));

    private bool HasPins => Store.Koids.Any(koid => !Record.VmoRecord.Decode(Store.LoadRecord(koid)).Pins.IsEmpty);

    private ReadReplies? Peek(Koid koid, ReadCalls reads) => Open(koid) is { Silo.IsFrozen: false } open && HasLease(open.Silo) ? open.Machine.TryRead(reads, NowAt(open.Silo)) : null;

    // Null: there is no such VMO, or nobody can own it at present.
    private SimActivation? Open(Koid koid)
    {
        if (_active.TryGetValue(koid, out var open) && !open.Machine.IsEnded)
            return open;
        if (!Store.Exists(koid))
            return null;
        var previous = Store.OwnerOf(koid);
        var silo = _silos[_random.Next(SiloCount)];
        if (HasLeases)
        {
            // Another live session would have to give it up first: its own silo goes on with it.
            if (!previous.IsReleased && !_sessions.IsDead(previous.Session))
                silo = Array.Find(_silos, own => own.Session == previous.Session);
            if (silo is null || silo.IsFrozen || !HasLease(silo))
                return null;
            Coverage.Count(previous.IsReleased || previous.Session == silo.Session ? "opened" : "taken over from a dead session");
        }

        // Some take it and end before they have loaded anything.
        var owner = new Owner(silo.Session, previous.Epoch + 1, SimFormers.NonceOf(previous.Epoch + 1));
        for (Store.TakeOver(koid, owner); _random.Next(6) == 0; Store.TakeOver(koid, owner))
            (previous, owner) = (owner, owner.Next(silo.Session, SimFormers.NonceOf(owner.Epoch + 1)));
        var record = Store.LoadRecord(koid);
        var top = VmoMachine.TopOf(record);
        var head = Store.LoadLayer(top, VmoMachine.HeadNames)!;
        while (VmoMachine.NextOf(top, head) is { } next)
            (top, head) = (next, Store.LoadLayer(next, VmoMachine.HeadNames)!);
        var machine = VmoMachine.Acquired(record, top, head, owner, previous, silo.Memory);
        machine.IsNoted = machine.NeedsNote;
        open = new(koid, silo, machine);
        _active[koid] = open;
        Step(open, TickInput.Value);
        return open;
    }

    private void Deliver(Koid koid, SimTicket ticket, Func<Ticket, VmoInput> input)
    {
        if (Open(koid) is not { } open)
        {
            ticket.Reply = Store.Exists(koid) ? ticket.Lost : ticket.Gone;
            return;
        }

        _asked.RemoveAll(asked => asked.Ticket.Reply is not null);
        _asked.Add((open, ticket));
        if (open.Silo.IsFrozen)
        {
            open.Silo.Inbox.Add(() => Hear(open, ticket, input));
            return;
        }

        Hear(open, ticket, input);
    }

    private void Hear(SimActivation open, SimTicket ticket, Func<Ticket, VmoInput> input)
    {
        if (HasLease(open.Silo))
        {
            Step(open, input(ticket));
            return;
        }

        Coverage.Count("call to a silo whose lease has run out");
        End(open);
    }

    private void Later(SimSilo at, Func<bool> run) => _tasks.Add((at, run));

    /// <summary>Asks and does not wait: a call that is lost with its silo is answered Io.</summary>
    public SimTicket Send(Koid koid, Func<Ticket, VmoInput> input)
    {
        var ticket = new SimTicket();
        Deliver(koid, ticket, input);
        return ticket;
    }

    /// <summary>Lets one of the things under way happen. False: nothing can without time.</summary>
    public bool RunOne()
    {
        if (TrimPercent > 0 && _random.Next(100) < TrimPercent)
            _silos[_random.Next(SiloCount)].Grants.Trim(0, _random.Next(4));
        for (var i = _late.Count - 1; i >= 0; i--)
        {
            if (_late[i].After > 0)
            {
                _late[i] = _late[i] with { After = _late[i].After - 1 };
                continue;
            }

            var run = _late[i].Run;
            _late.RemoveAt(i);
            run();
        }

        var ready = HasLeases || IsSlow is not null ? _pending.FindAll(pending => !(HasLeases && pending.Of.Silo.IsFrozen) && IsSlow?.Invoke(pending.Effect) != true) : _pending;
        if (ready.Count == 0)
        {
            // That the last gate was left is told by another thread, at once but for the load of the machine.
            return RunTask() || _late.Count > 0 || (!HasLeases && _tasks.Count > 0 && SpinWait.SpinUntil(RunTask, 100));
        }

        if (_tasks.Count > 0 && _random.Next(2) == 0 && RunTask())
            return true;
        var next = ready[_random.Next(ready.Count)];
        _pending.Remove(next);
        Run(next.Of, next.Effect);
        return true;
    }

    // One of the things that take several steps goes on. False: none could.
    private bool RunTask()
    {
        foreach (var task in _tasks.Where(task => !task.At.IsFrozen).OrderBy(_ => _random.Next()).ToArray())
        {
            if (!task.Run())
                continue;
            _tasks.Remove(task);
            return true;
        }

        return false;
    }

    private void Run(SimActivation of, VmoEffect effect)
    {
        var (koid, silo, machine) = (of.Koid, of.Silo, of.Machine);
        switch (effect)
        {
            case LoadLeaves load:
                Step(of, new LeavesLoaded(load, Store.LoadLayer(load.Layer, load.Names)!.Fields, Outcome.Ok));
                break;
            case CountFields count:
                Step(of, new FieldsCounted(count, Store.Scan(count.Layer).Count, Outcome.Ok));
                break;
            case ScanLeaves scan:
                Step(of, new LeavesScanned(scan, Store.Scan(scan.Layer), Outcome.Ok));
                break;
            case LoadFrozen load when !Store.Layers.Contains(load.Layer):
                Step(of, new FrozenLoaded(load, null, new(VmoStatus.DataIntegrity, $"layer {load.Layer} is looked through and is not in the store")));
                break;
            case LoadFrozen load:
                var resolved = new FrozenLoaded(load, Store.Resolve(load.Layer, load.Extent, silo.Maps), Outcome.Ok);
                if (!HasLeases)
                {
                    Step(of, resolved);
                    break;
                }

                // What was read is on its way while the layer's pages move to other blobs.
                Later(silo, () =>
                {
                    Step(of, resolved);
                    return true;
                });
                break;
            case LoadLive load:
                Walk(of, load);
                break;
            case Gather gather:
                Walks++;
                HeldWalks += gather.Call.IsHeld ? 1 : 0;
                GatherOn(of, gather, new(gather.First, gather.Lineage, gather.Call, gather.Known));
                break;
            case Recall recall:
                TakeBack(of, recall);
                break;
            case FindDead find:
                ulong[] dead = [.. find.Sessions.Where(session => HasLeases ? _sessions.IsDead(session) : Array.TrueForAll(_silos, silo => silo.Session != session))];
                Fence(koid, dead);
                Step(of, new DeadFound(find, dead));
                break;
            case LoadFields load:
                Step(of, new FieldsLoaded(load, Store.LoadLayer(load.Layer, load.Names), Outcome.Ok));
                break;
            case LoadBlobs load:
                Step(of, new BlobsLoaded(load, [.. load.Reads.Select(Store.Read)], Outcome.Ok));
                break;
            case SendCommit send:
                Commit(of, send);
                break;
            case SendSettle settle:
                var settled = Store.Settle(koid, machine.Owner, settle.Target, settle.Layer, settle.Seq);
                // Its answer may be lost like a commit's; then it is settled again.
                Step(of, new SettleDone(_random.Next(100) < UnknownPercent ? new(CommitOutcome.Unknown) : settled));
                break;
            case NoteUnfinished:
                Step(of, new UnfinishedNoted(Outcome.Ok));
                break;
            case UnlinkBlobs unlink:
                Store.Unlink(unlink);
                Step(of, new BlobsUnlinked(unlink, Outcome.Ok));
                break;
            case RemoveMarks remove:
                Step(of, new MarksRemoved(remove, Store.RemoveFields(machine.Layer, machine.Owner, remove.Names)));
                break;
            case CreateChildren create:
                var isWhole = _random.Next(100) >= UnknownPercent;
                if (isWhole)
                    create.Children.ToList().ForEach(child => Store.Create(child, default));
                else
                    CreateSome(create);
                Step(of, new ChildrenCreated(create, isWhole ? Outcome.Ok : new(VmoStatus.Io, "lost")));
                break;
            case DropLayer drop:
                Step(of, new LayerDropped(drop, Store.Drop(drop, machine.Owner)));
                break;
            case Erase erase:
                Step(of, new Erased(Store.Erase(koid, machine.Owner, erase)));
                break;
            case TellKin tell:
                Tell(of, tell);
                break;
            case SendForward forward:
                Forward(of, forward);
                break;
            case EndActivation:
                End(of);
                break;
        }
    }

    // A silo answers, or acknowledges the letter when it goes on; of one that is dead what it has sent is fenced off, and nobody waits for its gates.
    private void TakeBack(SimActivation of, Recall recall)
    {
        RecallsWaiting++;
        WholeRecalls += recall.Areas is null ? 1 : 0;
        if (recall.Areas?.Any(area => !area.IsWhole && area.Order > 0) == true)
            Coverage.Count("stretch asked back");
        var waiting = recall.Sessions.Select(session => (Session: session, Silo: Array.Find(_silos, silo => silo.Session == session))).ToList();
        var done = new Dictionary<ulong, Task>();
        foreach (var (session, silo) in waiting)
        {
            if (silo is null)
                continue;
            if (HasLeases)
            {
                Travel(() => Later(silo, () =>
                {
                    done[session] = silo.Grants.RecallAsync(of.Koid, recall.Areas);
                    silo.Recalls.Add((done[session], silo.Clock(Milliseconds)));
                    Coverage.Count(done[session].IsCompleted ? "recall" : "recall that waits for a gate");
                    return true;
                }));
            }
            else
            {
                done[session] = silo.Grants.RecallAsync(of.Koid, recall.Areas);
            }
        }

        Later(of.Silo, () =>
        {
            foreach (var (session, silo) in waiting)
            {
                if (done.TryGetValue(session, out var recalled) && recalled.IsCompleted)
                    continue;
                if (HasLeases ? !_sessions.IsDead(session) : silo is not null && _silos.Contains(silo))
                    return false;
                Coverage.Count("recall of a dead session");
                if (HasLeases)
                    Fence(of.Koid, [session]);
            }

            RecallsWaiting--;
            Step(of, new RecallDone(recall, Outcome.Ok));
            return true;
        });
    }

    // As GrantHolders does.
    private void Fence(Koid koid, ulong[] dead)
    {
        if (dead.Length == 0)
            return;
        var walk = new FenceWalk(koid, dead.ToHashSet());
        while (walk.Needs.Count > 0)
            walk.Take([.. walk.Needs.Select(vmo => Store.Exists(vmo) ? Store.LoadRecord(vmo) : null)]);
        foreach (var (vmo, owner) in walk.Owned)
        {
            Coverage.Count("fenced");
            Store.Release(vmo, owner, leftBy: owner.Nonce);
        }
    }

    // A message between silos takes its time where there are clocks.
    private void Travel(Action arrive)
    {
        if (HasLeases)
            _late.Add((_random.Next(0, 8), arrive));
        else
            arrive();
    }

    // Asks for grants round by round, as a silo does.
    private void Walk(SimActivation of, LoadLive load, LiveFetch? begun = null)
    {
        var silo = of.Silo;
        if (HasLeases && !HasLease(silo))
        {
            Step(of, new LiveLoaded(load, null, new(VmoStatus.ShouldWait, "no session", 200)));
            return;
        }

        var fetch = begun ?? new(load.Parent, load.Extent, (vmo, extent) => silo.Grants.Find(vmo, extent, silo.Session));
        var round = fetch.Next();
        if (round.Count == 0)
        {
            LiveRounds.Add(fetch.Rounds);
            if (fetch.Compose(silo.Session) is not { } view)
            {
                Coverage.Count("view recalled before it was put together");
                Later(silo, () =>
                {
                    Walk(of, load);
                    return true;
                });
                return;
            }

            silo.Grants.Put(load.Parent, load.Extent, view);
            Later(silo, () =>
            {
                Step(of, new LiveLoaded(load, view, Outcome.Ok));
                return true;
            });
            return;
        }

        var waits = new Waiting(this, silo, round.Count, fetch.Needed, () => Walk(of, load, fetch));
        for (var i = 0; i < round.Count; i++)
        {
            var (index, (vmo, extent)) = (i, round[i]);
            var (mark, gone) = (silo.Grants.Mark(), silo.Grants.Gone);
            var ticket = new SimTicket { Lost = new GrantReply { Outcome = new(VmoStatus.Io, "lost") } };
            ticket.Replied = reply => Later(silo, () =>
            {
                // Whoever is needed and has not granted is asked again.
                if (reply is GrantReply { Outcome.IsOk: true } given)
                {
                    var accepted = silo.Grants.Accept(GrantCodec.GrantOf(vmo, extent, silo.Session, given), mark, isTold: true);
                    Coverage.Count(accepted is null ? "grant overtaken by a recall" : "grant");
                    if (accepted is not null)
                    {
                        Coverage.Count(accepted.Area.Order > 0 ? "stretch granted" : "extent granted");
                        fetch.Take((vmo, extent), accepted);
                    }
                }

                waits.Answered(index);
                return true;
            });
            GrantsAsked++;
            Travel(() => Deliver(vmo, ticket, at => new GrantInput(at, new(silo.Session, extent, [.. gone.Select(GrantCodec.Told)], GrantArea.OrderMax))));
        }
    }

    // Those who are needed are waited for, the others for a quarter of a second more.
    private sealed class Waiting(SimFamily family, SimSilo at, int asked, int needed, Action then)
    {
        private int _asked = asked;
        private int _answered;
        private bool _isTimed;

        public bool IsOver { get; private set; }

        public void Answered(int index)
        {
            _asked--;
            _answered += index < needed ? 1 : 0;
            if (IsOver || _answered < needed)
                return;
            if (_asked == 0)
            {
                End();
                return;
            }

            if (_isTimed)
                return;
            _isTimed = true;
            var until = family.Milliseconds + 250;
            family.Later(at, () =>
            {
                if (!IsOver && family.Milliseconds < until)
                    return false;
                if (!IsOver)
                    End();
                return true;
            });
        }

        private void End()
        {
            IsOver = true;
            then();
        }
    }

    // Asks for pins round by round, as a silo does.
    private void GatherOn(SimActivation of, Gather gather, MomentWalk walk)
    {
        var silo = of.Silo;
        var round = walk.Next().ToArray();
        if (round.Length == 0)
        {
            Step(of, new Gathered(gather, walk.Levels, walk.Strays, walk.Failure));
            return;
        }

        var answers = new (PinReply?, Grant?)[round.Length];
        var waits = new Waiting(this, silo, round.Length, 1, () =>
        {
            walk.Take(answers);
            GatherOn(of, gather, walk);
        });
        for (var i = 0; i < round.Length; i++)
        {
            var (index, vmo, mark) = (i, round[i], silo.Grants.Mark());
            var ticket = new SimTicket { Lost = new PinReply { Outcome = new(VmoStatus.Io, "lost") } };
            ticket.Replied = reply => Later(silo, () =>
            {
                var pinned = reply as PinReply ?? new() { Outcome = ((VmoReply)reply).Outcome };
                if (_random.Next(100) < LostPercent)
                    pinned = new() { Outcome = new(VmoStatus.Io, "lost") };
                var grant = pinned is { Outcome.IsOk: true, IsTorn: false } ? silo.Grants.Accept(MomentWalk.GrantOf(vmo, gather.Call, pinned), mark, isTold: false) : null;
                if (!waits.IsOver)
                    answers[index] = (pinned, grant);
                waits.Answered(index);
                return true;
            });
            Travel(() => Deliver(vmo, ticket, at => new PinInput(at, gather.Call)));
        }
    }

    private void CreateSome(CreateChildren create)
    {
        foreach (var child in create.Children)
        {
            if (_random.Next(2) == 0)
                Store.Create(child, default);
        }
    }

    private void Tell(SimActivation of, TellKin tell)
    {
        var ticket = new SimTicket();
        ticket.Replied = reply =>
        {
            // Gone altogether is as good as told.
            var outcome = ((VmoReply)reply).Outcome;
            if (outcome.Status == VmoStatus.BadHandle)
                outcome = tell.Message.IsToldWhenGone ? Outcome.Ok : new(VmoStatus.NotFound, "gone");
            if (_random.Next(100) < LostPercent)
                outcome = new(VmoStatus.Io, "lost");
            Step(of, new KinTold(tell, outcome));
        };
        if (_random.Next(100) < RepeatPercent)
            _late.Add((_random.Next(1, 200), () => Deliver(tell.Target, new(), at => new KinInput(at, tell.Message))));
        Travel(() => Deliver(tell.Target, ticket, at => new KinInput(at, tell.Message)));
    }

    // A slice or reference hands a call on: the request may be lost, or its answer, and then nobody knows.
    private void Forward(SimActivation of, SendForward send)
    {
        var silo = of.Silo;
        var lost = _random.Next(100) < LostPercent;
        var nothing = new ForwardReply { Outcome = new(VmoStatus.Io, "lost") };
        if ((lost && _random.Next(2) == 0) || Open(send.Target) is not { } target || target.Silo.IsFrozen)
        {
            Step(of, new ForwardDone(send, nothing));
            return;
        }

        var admitted = target.Machine.Admit(send.Call.Pass, NextSecret(), NowAt(target.Silo), out var secret);
        if (!admitted.IsOk)
        {
            Step(of, new ForwardDone(send, new() { Outcome = admitted }));
            return;
        }

        var ticket = new SimTicket { Lost = nothing, Gone = nothing };
        ticket.Replied = reply => Later(silo, () =>
        {
            var forwarded = lost ? nothing : reply switch
            {
                ReadReplies reads => new() { Reads = reads },
                WriteReplies writes => new() { Writes = writes },
                VmoReply call => new() { Reply = call },
                _ => nothing,
            };
            Step(of, new ForwardDone(send, forwarded));
            return true;
        });
        Deliver(send.Target, ticket, at => send.Call switch
        {
            { Reads: { } reads } => new ReadInput(at, new() { Head = reads.Head with { Secret = secret }, Items = reads.Items }),
            { Writes: { } writes } => new WriteInput(at, new() { Head = writes.Head with { Secret = secret }, Items = writes.Items, Data = writes.Data }),
            { Call: { } call } => new CallInput(at, call with { Head = call.Head with { Secret = secret } }),
            _ => throw new InvalidOperationException("the simulation hands on whole calls"),
        });
    }

    private void Commit(SimActivation of, SendCommit send)
    {
        var commit = send.Commit;
        if (HasLeases)
        {
            CommitOver(of, send);
            return;
        }

        if (_random.Next(100) >= UnknownPercent)
        {
            Step(of, new CommitDone(Store.Commit(commit)));
            return;
        }

        // The answer is lost. The commit took effect, comes late, or never comes.
        switch (_random.Next(3))
        {
            case 0:
                Store.Commit(commit);
                break;
            case 1:
                _late.Add((_random.Next(1, 20), () => Store.Commit(commit)));
                break;
        }

        Step(of, new CommitDone(CommitOutcome.Unknown));
    }

    // What relies on others' pages is sent under a lease. It arrives when it arrives, whatever becomes of the silo; the answer takes its way back.
    private void CommitOver(SimActivation of, SendCommit send)
    {
        if (send.Gates.Count > 0 && !HasLease(of.Silo))
        {
            Coverage.Count("commit under a gate not sent, the lease has run out");
            Step(of, new CommitDone(CommitOutcome.Fenced));
            return;
        }

        var isLate = _random.Next(100) < UnknownPercent;
        var isAnswered = !isLate;
        _late.Add((isLate ? _random.Next(20, 900) : _random.Next(0, 12), () =>
        {
            var outcome = Store.Commit(send.Commit);
            Coverage.Count($"commit{(isLate ? " on its way for long" : "")}{(send.Gates.Count > 0 ? ", under a gate" : "")}{(_sessions.IsDead(of.Silo.Session) ? ", of a dead session" : "")}: {outcome}");
            if (isAnswered)
                Answered(outcome);
        }));
        if (isLate)
            _late.Add((_random.Next(5, 30), () => Answered(CommitOutcome.Unknown)));

        void Answered(CommitOutcome outcome) => Later(of.Silo, () =>
        {
            // The machine leaves the gates, if it is still there.
            if (of.IsGone && outcome != CommitOutcome.Unknown)
            {
                foreach (var gate in send.Gates)
                    gate.Leave();
            }

            Step(of, new CommitDone(outcome));
            return true;
        });
    }

    private void Step(SimActivation of, VmoInput input)
    {
        if (of.IsGone)
            return;
        foreach (var effect in of.Machine.Step(input, NowAt(of.Silo)))
        {
            if (effect is not Answer answer)
            {
                _pending.Add((of, effect));
                continue;
            }

            var isTrue = !answer.FromMemory || of.Machine.IsEnded || HasLease(of.Silo);
            Coverage.Count(isTrue ? "answer" : "answer held back, the lease has run out");
            ((SimTicket)answer.Ticket).Reply = isTrue ? answer.Reply : ((SimTicket)answer.Ticket).Lost;
        }
    }
}
