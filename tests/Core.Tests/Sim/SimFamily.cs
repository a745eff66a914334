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
    private const int SiloCount = 3;

    private readonly Random _random;
    private readonly int _cachePages;
    private readonly SimSilo[] _silos = new SimSilo[SiloCount];
    private readonly Dictionary<Koid, SimSilo> _homes = [];
    private readonly List<Func<bool>> _tasks = [];
    private readonly List<(Koid Asked, SimTicket Ticket)> _asked = [];
    private readonly Dictionary<Koid, VmoMachine> _machines = [];
    private readonly List<(Koid Koid, VmoEffect Effect)> _pending = [];
    private readonly List<(int After, Action Run)> _late = [];
    private ulong _koids = 100;
    private uint _nonce = 1;
    private ulong _sequence;
    private ulong _secrets;
    private ulong _sessions = 6;

    /// <param name="seed">Of all that is left to chance.</param>
    /// <param name="cachePages">Pages that each silo keeps.</param>
    public SimFamily(int seed, int cachePages = 16)
    {
        (_random, _cachePages) = (new(seed), cachePages);
        for (var i = 0; i < SiloCount; i++)
            _silos[i] = NewSilo();
    }

    public SimStores Store { get; } = new();
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
            replies = Open(handle.Koid)?.TryRead(reads, Now) ?? Ask<ReadReplies>(handle.Koid, ticket => new ReadInput(ticket, reads));
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
        foreach (var koid in _machines.Keys.ToList())
            Step(koid, TickInput.Value);
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
        foreach (var (koid, effect) in _pending.ToArray())
        {
            if (_homes.GetValueOrDefault(koid) != silo)
                continue;
            _pending.Remove((koid, effect));
            if (_random.Next(2) == 0)
                continue;
            if (effect is SendCommit send)
                Store.Commit(send.Commit);
            if (effect is CreateChildren create)
                CreateSome(create);
        }

        foreach (var (koid, _) in _homes.Where(home => home.Value == silo).ToArray())
        {
            _machines.Remove(koid);
            _homes.Remove(koid);
            // Whoever asked it is told by the messaging that nobody answers.
            foreach (var (_, ticket) in _asked.Where(asked => asked.Asked == koid && asked.Ticket.Reply is null).ToArray())
                ticket.Reply = ticket.Lost;
        }

        _silos[which] = NewSilo();
        WakeAll();
    }

    private SimSilo NewSilo() => new(++_sessions, _cachePages, Budget, new(long.MaxValue, recallsMax: 4));

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

    private bool HasPins => Store.Koids.Any(koid => !Record.VmoRecord.Decode(Store.LoadRecord(koid)).Pins.IsEmpty);

    private VmoMachine? Open(Koid koid)
    {
        if (_machines.TryGetValue(koid, out var machine) && !machine.IsEnded)
            return machine;
        if (!Store.Exists(koid))
            return null;
        var previous = Store.OwnerOf(koid);
        var silo = _silos[_random.Next(SiloCount)];
        var owner = new Owner(silo.Session, previous.Epoch + 1, ++_nonce);
        Store.TakeOver(koid, owner);
        var record = Store.LoadRecord(koid);
        var top = VmoMachine.TopOf(record);
        var head = Store.LoadLayer(top, VmoMachine.HeadNames)!;
        while (VmoMachine.NextOf(top, head) is { } next)
            (top, head) = (next, Store.LoadLayer(next, VmoMachine.HeadNames)!);
        machine = VmoMachine.Acquired(record, top, head, owner, previous, silo.Memory);
        _homes[koid] = silo;
        machine.IsNoted = machine.NeedsNote;
        _machines[koid] = machine;
        Step(koid, TickInput.Value);
        return machine;
    }

    private void Deliver(Koid koid, SimTicket ticket, Func<Ticket, VmoInput> input)
    {
        if (Open(koid) is not null)
        {
            _asked.RemoveAll(asked => asked.Ticket.Reply is not null);
            _asked.Add((koid, ticket));
            Step(koid, input(ticket));
        }
        else
            ticket.Reply = ticket.Gone;
    }

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

        if (_pending.Count == 0)
        {
            // That the last gate was left is told by another thread, at once but for the load of the machine.
            return RunTask() || (_tasks.Count > 0 && SpinWait.SpinUntil(RunTask, 100));
        }

        if (_tasks.Count > 0 && _random.Next(2) == 0)
            return RunTask();
        var at = _random.Next(_pending.Count);
        var (koid, effect) = _pending[at];
        _pending.RemoveAt(at);
        if (_machines.TryGetValue(koid, out var machine))
            Run(koid, machine, effect);
        return true;
    }

    // One of the things that take several steps goes on. False: none could.
    private bool RunTask()
    {
        foreach (var task in _tasks.OrderBy(_ => _random.Next()).ToArray())
        {
            if (!task())
                continue;
            _tasks.Remove(task);
            return true;
        }

        return false;
    }

    private void Run(Koid koid, VmoMachine machine, VmoEffect effect)
    {
        switch (effect)
        {
            case LoadLeaves load:
                Step(koid, new LeavesLoaded(load, Store.LoadLayer(load.Layer, load.Names)!.Fields, Outcome.Ok));
                break;
            case ScanLeaves scan:
                Step(koid, new LeavesScanned(scan, Store.Scan(scan.Layer), Outcome.Ok));
                break;
            case LoadFrozen load:
                Step(koid, new FrozenLoaded(load, Store.Resolve(load.Layer, load.Extent, _homes[koid].Maps), Outcome.Ok));
                break;
            case LoadLive load:
                Walk(koid, _homes[koid], load);
                break;
            case Gather gather:
                Walks++;
                HeldWalks += gather.Call.IsHeld ? 1 : 0;
                GatherOn(koid, machine, _homes[koid], gather, new(gather.First, gather.Lineage, gather.Call, gather.Known));
                break;
            case Recall recall:
                var recalls = _silos.Where(silo => recall.Sessions.Contains(silo.Session)).Select(silo => (Silo: silo, Done: silo.Grants.RecallAsync(koid, recall.Extents))).ToList();
                RecallsWaiting++;
                WholeRecalls += recall.Extents is null ? 1 : 0;
                _tasks.Add(() =>
                {
                    // What a dead silo had sent is fenced off: nobody waits for its gates.
                    if (!recalls.TrueForAll(one => one.Done.IsCompleted || !_silos.Contains(one.Silo)))
                        return false;
                    RecallsWaiting--;
                    Step(koid, new RecallDone(recall, Outcome.Ok), machine);
                    return true;
                });
                break;
            case FindDead find:
                Step(koid, new DeadFound(find, [.. find.Sessions.Where(session => Array.TrueForAll(_silos, silo => silo.Session != session))]), machine);
                break;
            case LoadFields load:
                Step(koid, new FieldsLoaded(load, Store.LoadLayer(load.Layer, load.Names), Outcome.Ok));
                break;
            case LoadBlobs load:
                Step(koid, new BlobsLoaded(load, [.. load.Reads.Select(Store.Read)], Outcome.Ok));
                break;
            case SendCommit send:
                Commit(koid, send);
                break;
            case SendSettle settle:
                Step(koid, new SettleDone(Store.Settle(koid, machine.Owner, settle.Target, settle.Layer)));
                break;
            case NoteUnfinished:
                Step(koid, new UnfinishedNoted(Outcome.Ok));
                break;
            case UnlinkBlobs unlink:
                Store.Unlink(unlink);
                Step(koid, new BlobsUnlinked(unlink, Outcome.Ok));
                break;
            case RemoveMarks remove:
                Step(koid, new MarksRemoved(remove, Store.RemoveFields(machine.Layer, machine.Owner, remove.Names)));
                break;
            case CreateChildren create:
                var isWhole = _random.Next(100) >= UnknownPercent;
                if (isWhole)
                    create.Children.ToList().ForEach(child => Store.Create(child, default));
                else
                    CreateSome(create);
                Step(koid, new ChildrenCreated(create, isWhole ? Outcome.Ok : new(VmoStatus.Io, "lost")));
                break;
            case DropLayer drop:
                Step(koid, new LayerDropped(drop, Store.Drop(drop, machine.Owner)));
                break;
            case Erase erase:
                Step(koid, new Erased(Store.Erase(koid, machine.Owner, erase)));
                break;
            case TellKin tell:
                Tell(koid, tell);
                break;
            case SendForward forward:
                Forward(koid, machine, forward);
                break;
            case EndActivation:
                _machines.Remove(koid);
                _homes.Remove(koid);
                _pending.RemoveAll(pending => pending.Koid == koid);
                break;
        }
    }

    // Asks for grants round by round, as a silo does.
    private void Walk(Koid koid, SimSilo silo, LoadLive load, LiveFetch? begun = null)
    {
        var fetch = begun ?? new(load.Parent, load.Extent, (vmo, extent) => silo.Grants.Find(vmo, extent, silo.Session));
        var round = fetch.Next();
        if (round.Count == 0)
        {
            LiveRounds.Add(fetch.Rounds);
            if (fetch.Compose(silo.Session) is not { } view)
            {
                _tasks.Add(() =>
                {
                    Walk(koid, silo, load);
                    return true;
                });
                return;
            }

            silo.Grants.Put(load.Parent, load.Extent, view);
            _tasks.Add(() =>
            {
                if (_homes.GetValueOrDefault(koid) == silo)
                    Step(koid, new LiveLoaded(load, view, Outcome.Ok));
                return true;
            });
            return;
        }

        var waits = new Waiting(this, round.Count, fetch.Needed, () => Walk(koid, silo, load, fetch));
        for (var i = 0; i < round.Count; i++)
        {
            var (index, (vmo, extent)) = (i, round[i]);
            var (mark, gone) = (silo.Grants.Mark(), silo.Grants.Gone);
            var ticket = new SimTicket { Lost = new GrantReply { Outcome = new(VmoStatus.Io, "lost") } };
            ticket.Replied = reply => _tasks.Add(() =>
            {
                // Whoever is needed and has not granted is asked again; what comes late is held, and not known to the walk.
                if (reply is GrantReply { Outcome.IsOk: true } given && silo.Grants.Accept(GrantCodec.GrantOf(vmo, extent, silo.Session, given), mark, gone) is { } grant && !waits.IsOver)
                    fetch.Take(index, grant);
                waits.Answered(index);
                return true;
            });
            Deliver(vmo, ticket, at => new GrantInput(at, new(silo.Session, extent, [.. gone.Select(layer => (layer.Home.Value, layer.Number))])));
        }
    }

    // Those who are needed are waited for, the others for a quarter of a second more.
    private sealed class Waiting(SimFamily family, int asked, int needed, Action then)
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
            family._tasks.Add(() =>
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
    private void GatherOn(Koid koid, VmoMachine machine, SimSilo silo, Gather gather, MomentWalk walk)
    {
        var round = walk.Next().ToArray();
        if (round.Length == 0)
        {
            Step(koid, new Gathered(gather, walk.Levels, walk.Strays, walk.Failure), machine);
            return;
        }

        var answers = new (PinReply?, Grant?)[round.Length];
        var waits = new Waiting(this, round.Length, 1, () =>
        {
            walk.Take(answers);
            GatherOn(koid, machine, silo, gather, walk);
        });
        for (var i = 0; i < round.Length; i++)
        {
            var (index, vmo, mark) = (i, round[i], silo.Grants.Mark());
            var ticket = new SimTicket { Lost = new PinReply { Outcome = new(VmoStatus.Io, "lost") } };
            ticket.Replied = reply => _tasks.Add(() =>
            {
                var pinned = reply as PinReply ?? new() { Outcome = ((VmoReply)reply).Outcome };
                if (_random.Next(100) < LostPercent)
                    pinned = new() { Outcome = new(VmoStatus.Io, "lost") };
                var grant = pinned is { Outcome.IsOk: true, IsTorn: false } ? silo.Grants.Accept(MomentWalk.GrantOf(vmo, gather.Call, pinned), mark, []) : null;
                if (!waits.IsOver)
                    answers[index] = (pinned, grant);
                waits.Answered(index);
                return true;
            });
            Deliver(vmo, ticket, at => new PinInput(at, gather.Call));
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

    private void Tell(Koid koid, TellKin tell)
    {
        var (ticket, machine) = (new SimTicket(), _machines[koid]);
        ticket.Replied = reply =>
        {
            // Gone altogether is as good as told.
            var outcome = ((VmoReply)reply).Outcome;
            if (outcome.Status == VmoStatus.BadHandle)
                outcome = tell.Message.IsToldWhenGone ? Outcome.Ok : new(VmoStatus.NotFound, "gone");
            if (_random.Next(100) < LostPercent)
                outcome = new(VmoStatus.Io, "lost");
            Step(koid, new KinTold(tell, outcome), machine);
        };
        if (_random.Next(100) < RepeatPercent)
            _late.Add((_random.Next(1, 200), () => Deliver(tell.Target, new(), at => new KinInput(at, tell.Message))));
        Deliver(tell.Target, ticket, at => new KinInput(at, tell.Message));
    }

    // A slice or reference hands a call on: the request may be lost, or its answer, and then nobody knows.
    private void Forward(Koid koid, VmoMachine machine, SendForward send)
    {
        var lost = _random.Next(100) < LostPercent;
        var nothing = new ForwardReply { Outcome = new(VmoStatus.Io, "lost") };
        if ((lost && _random.Next(2) == 0) || Open(send.Target) is not { } target)
        {
            Step(koid, new ForwardDone(send, nothing), machine);
            return;
        }

        var admitted = target.Admit(send.Call.Pass, NextSecret(), Now, out var secret);
        if (!admitted.IsOk)
        {
            Step(koid, new ForwardDone(send, new() { Outcome = admitted }), machine);
            return;
        }

        var ticket = new SimTicket { Lost = nothing, Gone = nothing };
        ticket.Replied = reply => _tasks.Add(() =>
        {
            var forwarded = lost ? nothing : reply switch
            {
                ReadReplies reads => new() { Reads = reads },
                WriteReplies writes => new() { Writes = writes },
                VmoReply call => new() { Reply = call },
                _ => nothing,
            };
            Step(koid, new ForwardDone(send, forwarded), machine);
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

    private void Commit(Koid koid, SendCommit send)
    {
        var commit = send.Commit;
        if (_random.Next(100) >= UnknownPercent)
        {
            Step(koid, new CommitDone(Store.Commit(commit)));
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

        Step(koid, new CommitDone(CommitOutcome.Unknown));
    }

    private void Step(Koid koid, VmoInput input, VmoMachine? asked = null)
    {
        if (!_machines.TryGetValue(koid, out var machine) || (asked is not null && asked != machine))
            return;
        foreach (var effect in machine.Step(input, Now))
        {
            if (effect is Answer answer)
                ((SimTicket)answer.Ticket).Reply = answer.Reply;
            else
                _pending.Add((koid, effect));
        }
    }
}
