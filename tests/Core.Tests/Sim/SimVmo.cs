using VmoCluster.Core.Machine;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>
/// One VMO in a simulation: the real machine over a store in memory, with a clock of its own, faults by seed, crashes on demand. Effects wait
/// in a list; a seeded hand picks which comes next.
/// </summary>
public sealed class SimVmo
{
    private readonly Random _random;
    private readonly List<VmoEffect> _pending = [];
    private readonly List<(int After, Action Run)> _late = [];
    private readonly int _deadlineMs = 15_000;
    private ulong _sequence;

    public SimVmo(int seed, ulong size, VmoOptions options = VmoOptions.None, int cachePages = 8)
    {
        _random = new(seed);
        Cache = new(cachePages);
        Secret = new(0xA5A5, (ulong)seed + 1);
        var owner = new Owner(7, 1, SimFormers.NonceOf(1));
        var call = new CreateCall { Head = Head(Secret), Size = size, Options = options, Name = "sim", Confirmed = true };
        Assert.True(VmoCreation.Check(call).IsOk);
        var creation = VmoCreation.Root(new(42), call, Now);
        Store.Create(owner, creation.LayerFields, creation.RecordFields);
        Machine = VmoMachine.Created(creation, owner, Memory);
    }

    /// <summary>A VMO whose meta says more than a root's.</summary>
    public SimVmo(int seed, ulong size, VmoMeta meta)
    {
        _random = new(seed);
        Cache = new(8);
        Secret = new(0xA5A5, (ulong)seed + 1);
        var owner = new Owner(7, 1, SimFormers.NonceOf(1));
        var creation = VmoCreation.Root(meta.Koid, new() { Head = Head(Secret), Size = size, Options = meta.Options, Name = "sim", Confirmed = true }, Now);
        Store.Create(owner, creation.LayerFields, [.. creation.RecordFields.Select(field => field.Name.Span.SequenceEqual("meta"u8) ? field with { Value = meta.Encode() } : field)]);
        Machine = VmoMachine.Acquired(Store.LoadRecord(), creation.Layer, Store.LoadLayer(VmoMachine.HeadNames), owner, default, Memory);
    }

    /// <summary>What it asked of other VMOs, in order; a test delivers it.</summary>
    public List<VmoEffect> Outgoing { get; } = [];

    public SimStore Store { get; } = new();
    public SimCache Cache { get; private set; }
    public SimBudget Budget { get; } = new();
    public SiloMemory Memory => new(Cache, Budget, new SimMaps(), new Live.HeldGrants(0));
    public VmoMachine Machine { get; private set; }
    public HandleSecret Secret { get; }
    public long Milliseconds { get; set; } = 1_700_000_000_000;

    /// <summary>In how many of a hundred commits the outcome is unknown at first.</summary>
    public int UnknownPercent { get; set; }

    /// <summary>Effects ever asked for, by kind.</summary>
    public Dictionary<string, int> Seen { get; } = [];

    public Instant Now => new(Milliseconds, Milliseconds);

    /// <summary>A call's head, with time enough.</summary>
    public CallHead Head(HandleSecret secret, RequestId request = default) =>
        new(secret, request, 0, _deadlineMs, Caller.Anonymous);

    public RequestId NextRequest() => new(99, ((ulong)Milliseconds << RequestId.CountBits) | ++_sequence);

    /// <summary>Asks and lets everything happen until the answer is there.</summary>
    public T Ask<T>(Func<Ticket, VmoInput> input)
    {
        var ticket = Send(input);
        for (var steps = 0; ticket.Reply is null; steps++)
        {
            Assert.True(steps < 10_000, "no answer after 10,000 effects");
            if (!RunOne())
                Advance(200);
        }

        return Assert.IsType<T>(ticket.Reply);
    }

    public SimTicket Send(Func<Ticket, VmoInput> input)
    {
        var ticket = new SimTicket();
        Step(input(ticket));
        return ticket;
    }

    public VmoReply Call(VmoCall call) => Ask<VmoReply>(ticket => new CallInput(ticket, call));

    public Outcome Write(ulong offset, byte[] data, RequestId? request = null)
    {
        var replies = Ask<WriteReplies>(WriteOf(offset, data, request));
        return replies.Outcomes?[0] ?? Outcome.Ok;
    }

    /// <summary>Asks and does not wait.</summary>
    public void BeginWrite(ulong offset, byte[] data) => Send(WriteOf(offset, data));

    private Func<Ticket, VmoInput> WriteOf(ulong offset, byte[] data, RequestId? request = null) => ticket => new WriteInput(ticket, new()
    {
        Head = Head(Secret), Items = [new(request ?? NextRequest(), offset, data.Length)], Data = data,
    });

    public (Outcome Outcome, byte[] Data) Read(ulong offset, int length)
    {
        var reads = new ReadCalls { Head = Head(Secret), Items = [new(offset, length)] };
        var replies = Machine.TryRead(reads, Now) ?? Ask<ReadReplies>(ticket => new ReadInput(ticket, reads));
        return (replies.Outcomes?[0] ?? Outcome.Ok, replies.Data);
    }

    public Outcome Op(VmoOp op, ulong offset, ulong length) => Call(new OpRangeCall(Head(Secret, NextRequest()), op, new(offset, length))).Outcome;

    public VmoInfo Info() => Call(new InfoCall(Head(Secret), InfoTopic.Vmo)).Info!;

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
        Step(TickInput.Value);
    }

    /// <summary>Runs until nothing is left to do.</summary>
    public void Settle()
    {
        var effects = 0;
        for (var quiet = 0; quiet < 4;)
        {
            Assert.True(++effects < 20_000, "the VMO never comes to rest");
            if (RunOne())
                continue;
            quiet++;
            Advance(1100);
        }
    }

    /// <summary>The silo dies: what was on its way may still reach the store, or not, or only its blobs. Another takes over.</summary>
    public void Crash()
    {
        foreach (var effect in _pending.ToArray())
        {
            if (effect is not SendCommit send)
                continue;
            var arrives = _random.Next(3);
            if (arrives == 0)
                Store.Commit(send.Commit);
            else if (arrives == 1)
                Store.SetBlobs(send.Commit);
        }

        _pending.Clear();
        Cache = new(8);
        Reopen();
    }

    /// <summary>The silo hands it over in good order, as VmoGrain does. What is still on its way to the store is not waited for here: then it is as if the silo had died.</summary>
    public void HandOver()
    {
        if (Machine.IsInTheAir)
        {
            Crash();
            return;
        }

        Store.Release(Machine.Owner, Machine.KnowsGarbage ? Machine.Owner.Nonce : 0);
        Cache = new(8);
        Reopen();
    }

    /// <summary>Another activation takes the VMO from the store as it is.</summary>
    public void Reopen()
    {
        _pending.Clear();
        EndLate();
        // Some take it and end before they have loaded anything.
        var (previous, owner) = (Store.Owner, NextOwner());
        for (Store.TakeOver(owner); _random.Next(4) == 0; Store.TakeOver(owner))
            (previous, owner) = (Store.Owner, NextOwner());
        var record = Store.LoadRecord();
        Machine = VmoMachine.Acquired(record, VmoMachine.TopOf(record), Store.LoadLayer(VmoMachine.HeadNames), owner, previous, Memory);
        Machine.IsNoted = Machine.NeedsNote;
        Step(TickInput.Value);
    }

    private Owner NextOwner() => new(7, Store.Owner.Epoch + 1, SimFormers.NonceOf(Store.Owner.Epoch + 1));

    // What was sent before a commit is settled, or the VMO taken over, arrives before or never (silo/PageStore/DESIGN.md).
    private void EndLate()
    {
        foreach (var (_, run) in _late)
        {
            if (_random.Next(2) == 0)
                run();
        }

        _late.Clear();
    }

    private bool RunOne()
    {
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
            return false;
        var at = _random.Next(_pending.Count);
        var effect = _pending[at];
        _pending.RemoveAt(at);
        Run(effect);
        return true;
    }

    private void Run(VmoEffect effect)
    {
        switch (effect)
        {
            case LoadLeaves load:
                Step(new LeavesLoaded(load, Store.LoadLayer(load.Names).Fields, Outcome.Ok));
                break;
            case CountFields count:
                Step(new FieldsCounted(count, Store.ScanLeaves().Count, Outcome.Ok));
                break;
            case ScanLeaves scan:
                Step(new LeavesScanned(scan, Store.ScanLeaves(), Outcome.Ok));
                break;
            case LoadBlobs load:
                Step(new BlobsLoaded(load, [.. load.Reads.Select(Store.Read)], Outcome.Ok));
                break;
            case SendCommit send:
                Commit(send.Commit);
                break;
            case SendSettle settle:
                EndLate();
                var settled = Store.Settle(Machine.Owner, settle.Target, settle.Seq);
                // Its answer may be lost like a commit's; then it is settled again.
                Step(new SettleDone(_random.Next(100) < UnknownPercent ? new(CommitOutcome.Unknown) : settled));
                break;
            case NoteUnfinished:
                Step(new UnfinishedNoted(Outcome.Ok));
                break;
            case UnlinkBlobs unlink:
                Store.Unlink(unlink);
                Step(new BlobsUnlinked(unlink, Outcome.Ok));
                break;
            case RemoveMarks remove:
                Step(new MarksRemoved(remove, Store.RemoveFields(Machine.Owner, remove.Names)));
                break;
            case Erase erase:
                Step(new Erased(Store.Erase(Machine.Owner, erase.Tombstone)));
                break;
        }
    }

    private void Commit(StoreCommit commit)
    {
        if (_random.Next(100) >= UnknownPercent)
        {
            Step(new CommitDone(Store.Commit(commit)));
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

        Step(new CommitDone(CommitOutcome.Unknown));
    }

    /// <summary>One step of the machine: answers reach their tickets, effects wait.</summary>
    public void Step(VmoInput input)
    {
        foreach (var effect in Machine.Step(input, Now))
        {
            var name = effect.GetType().Name;
            Seen[name] = Seen.GetValueOrDefault(name) + 1;
            if (effect is Answer answer)
                ((SimTicket)answer.Ticket).Reply = answer.Reply;
            else if (effect is SendForward or TellKin)
                Outgoing.Add(effect);
            else
                _pending.Add(effect);
        }
    }
}
