using VmoCluster.Core.Handles;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// What a slice or reference does with calls that concern pages: it checks the handle, and a slice its window, at the call's turn, and hands
/// the call on to the VMO whose pages it shows, in that one's offsets and under the same request id. A handle is not ended while a change made
/// through it is on its way: so nothing of it takes effect after the end was answered. What came to no known end, or was handed on by an
/// earlier owner, is fenced off at the target first.
/// </summary>
internal sealed class AliasDesk(MachineState state, ChangeQueue queue, Action<HandleEntry> heard)
{
    private const int FenceAgainMs = 500;

    private readonly HashSet<Forwarded> _flying = [];

    // Changes that came while handles are being ended: decided when it is known which.
    private readonly List<(VmoInput Input, long SinceMs)> _held = [];
    private int _bytes;
    private int _changes;
    private uint _round;

    // Whether no change may be under way that this desk does not count. A VMO's first owner has no earlier one's.
    private bool _isFenced = state.Owner.Epoch <= 1;
    private AliasFence? _fence;
    private long _fenceAgainMs;

    /// <summary>Whether calls wait here for something else than their target.</summary>
    public bool IsHolding => _held.Count > 0;

    private bool IsAlias => state.Record.Meta.IsAlias;

    private bool IsSlice => state.Record.Meta.Kind == VmoKind.Slice;

    // Added to an offset here, it is the target's.
    private ulong Shift => state.Record.Meta.ShownOffset;

    private AliasTerm Term => new(state.Owner.Epoch, _round);

    /// <summary>Takes a call that concerns pages. False: the VMO answers it itself.</summary>
    public bool TryTake(VmoInput input) => IsAlias && TryTake(input, state.Now.MonotonicMs);

    private bool TryTake(VmoInput input, long sinceMs)
    {
        switch (input)
        {
            case ReadInput read:
                Read(read, sinceMs);
                return true;
            case ReadPieceInput piece:
                ReadPiece(piece, sinceMs);
                return true;
            case WriteInput write:
                Write(write, sinceMs);
                return true;
            case WritePieceInput piece:
                WritePiece(piece, sinceMs);
                return true;
            case CallInput { Call: OpRangeCall { Op: VmoOp.Commit or VmoOp.Decommit or VmoOp.Zero or VmoOp.Lookup or VmoOp.Prefetch } op } call:
                OpRange(call, op, sinceMs);
                return true;
            case CallInput { Call: GetSizeCall } call when !IsSlice:
                Call(call, VmoRights.None, isChange: false, sinceMs);
                return true;
            case CallInput { Call: GetContentSizeCall } call when !IsSlice:
                Call(call, VmoRights.GetProperty, isChange: false, sinceMs);
                return true;
            case CallInput { Call: SetContentSizeCall } call when !IsSlice:
                Call(call, VmoRights.SetProperty | VmoRights.Write, isChange: true, sinceMs);
                return true;
            case CallInput { Call: SetSizeCall } call when !IsSlice && state.Record.Meta.IsResizable:
                Call(call, VmoRights.Write, isChange: true, sinceMs);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Whether handles may be ended now. False: changes are under way that were made through them, or may be.</summary>
    public bool MayEnd()
    {
        if (!IsAlias)
            return true;
        if (_changes > 0)
            return false;
        if (_isFenced)
            return true;
        if (_fence is null && state.Now.MonotonicMs >= _fenceAgainMs)
        {
            _fence = new(state.Record.Meta.Koid, Term);
            state.Effects.Add(new TellKin(state.Record.Meta.ShownVmo, _fence));
        }

        return false;
    }

    /// <summary>True: it was the fence.</summary>
    public bool Told(KinTold input)
    {
        if (_fence is null || !ReferenceEquals(input.Tell.Message, _fence))
            return false;
        // A call that was lost meanwhile is of a later term than the fence.
        if (input.Outcome.IsOk)
            _isFenced = _fence.Term == Term;
        else
            _fenceAgainMs = state.Now.MonotonicMs + FenceAgainMs;
        _fence = null;
        return true;
    }

    /// <summary>The target has answered, or cannot be reached.</summary>
    public void Done(ForwardDone input)
    {
        var (from, reply) = (input.Forward.From, input.Reply);
        if (!_flying.Remove(from))
            return;
        _bytes -= from.Bytes;
        var isAlive = Authority.Check(state.Record.Handles, from.Secret, VmoRights.None, state.Now, out _).IsOk;
        if (!from.IsChange)
        {
            // What a read brings may have been written after the handle's end; a handle that is good here was shut out there by a move.
            state.Effects.Add(new Answer(from.Ticket, isAlive ? from.Reply(reply, Overtaken) : from.Refusal(Authority.BadHandle), FromMemory: true));
            return;
        }

        _changes--;
        // It may yet take effect: an activation that is gone may have sent it to the store.
        if (Forwarded.OutcomesOf(reply).Any(outcome => outcome.Status is VmoStatus.Io or VmoStatus.TimedOut))
            (_round, _isFenced) = (_round + 1, false);
        state.Effects.Add(new Answer(from.Ticket, from.Reply(reply, isAlive ? Overtaken : Authority.BadHandle), FromMemory: false));
    }

    /// <summary>Decides what was held, when no handle is being ended any more.</summary>
    public void Pump()
    {
        if (_held.Count == 0 || queue.IsEnding || state.IsEnded)
            return;
        var held = _held.ToArray();
        _held.Clear();
        foreach (var (input, sinceMs) in held)
            TryTake(input, sinceMs);
    }

    public void EndAll(Outcome outcome)
    {
        foreach (var forwarded in _flying)
            Tell(forwarded.Ticket, forwarded.Refusal(outcome));
        _flying.Clear();
        foreach (var (input, _) in _held)
            Refuse(input, outcome);
        _held.Clear();
    }

    private void Refuse(VmoInput change, Outcome outcome)
    {
        switch (change)
        {
            case WriteInput write:
                Tell(write.Ticket, WriteReplies.Fail(outcome, write.Writes.Items.Length));
                break;
            case WritePieceInput piece:
                Tell(piece.Ticket, WriteReplies.Fail(outcome, 1));
                break;
            case CallInput call:
                Tell(call.Ticket, new VmoReply { Outcome = outcome });
                break;
        }
    }

    private void Read(ReadInput input, long sinceMs)
    {
        var (reads, count) = (input.Reads, input.Reads.Items.Length);
        var outcome = ReadDesk.CheckForm(reads);
        if (!TryOpen(outcome, reads.Head, VmoRights.Read, out outcome, out var handle))
        {
            Tell(input.Ticket, ReadReplies.Fail(outcome, count));
            return;
        }

        var own = CheckWindow(handle!, reads.Items, item => new(item.Offset, (ulong)item.Length), "read");
        ReadItem[] items = [.. Passing(reads.Items, own).Select(item => item with { Offset = item.Offset + Shift })];
        if (items.Length == 0 && count > 0)
        {
            Tell(input.Ticket, new ReadReplies { Outcomes = own });
            return;
        }

        Send(new Forwarded(input.Ticket, reads.Head, handle!, IsChange: false, Bytes: 0)
        {
            Refusal = failure => ReadReplies.Fail(failure, count),
            Found = (reply, outcomes) => new ReadReplies { Outcomes = Merge(own, outcomes, count), Data = reply.Reads!.Data, Version = reply.Reads.Version },
        }, pass => new() { Pass = pass, Reads = new() { Head = Bare(reads.Head, sinceMs), Items = items } });
    }

    private void ReadPiece(ReadPieceInput input, long sinceMs)
    {
        var piece = input.Piece;
        var whole = piece.Whole;
        if (!TryOpen(Outcome.Ok, piece.Head, VmoRights.Read, out var outcome, out var handle)
            || !TryWindow(handle!, whole.Offset, whole.Length, "read", out outcome))
        {
            Tell(input.Ticket, ReadReplies.Fail(outcome, 1));
            return;
        }

        Send(new Forwarded(input.Ticket, piece.Head, handle!, IsChange: false, Bytes: 0)
        {
            Refusal = failure => ReadReplies.Fail(failure, 1),
            Found = (reply, outcomes) => new ReadReplies { Outcomes = outcomes, Data = reply.Reads!.Data, Version = reply.Reads.Version },
        }, pass => new() { Pass = pass, ReadPiece = new() { Head = Bare(piece.Head, sinceMs), Whole = whole with { Offset = whole.Offset + Shift }, Piece = piece.Piece } });
    }

    private void Write(WriteInput input, long sinceMs)
    {
        var (writes, count) = (input.Writes, input.Writes.Items.Length);
        var outcome = VmoMachine.CheckForm(writes);
        if (Holds(input, sinceMs))
            return;
        if (!TryOpen(outcome, writes.Head, VmoRights.Write, out outcome, out var handle))
        {
            Tell(input.Ticket, WriteReplies.Fail(outcome, count));
            return;
        }

        var own = CheckWindow(handle!, writes.Items, item => new(item.Offset, (ulong)item.Length), "write");
        WriteItem[] items = [.. Passing(writes.Items, own).Select(item => item with { Offset = item.Offset + Shift })];
        if (items.Length == 0)
        {
            Tell(input.Ticket, new WriteReplies { Outcomes = own });
            return;
        }

        var data = own is null ? writes.Data : DataOf(writes, own);
        Send(new Forwarded(input.Ticket, writes.Head, handle!, IsChange: true, data.Length)
        {
            Refusal = failure => WriteReplies.Fail(failure, count),
            Found = (reply, outcomes) => new WriteReplies { Outcomes = Merge(own, outcomes, count), Version = reply.Writes!.Version },
        }, pass => new() { Pass = pass, Writes = new() { Head = Bare(writes.Head, sinceMs), Items = items, Data = data } });
    }

    private void WritePiece(WritePieceInput input, long sinceMs)
    {
        var piece = input.Piece;
        if (Holds(input, sinceMs))
            return;
        if (!TryOpen(Outcome.Ok, piece.Head, VmoRights.Write, out var outcome, out var handle)
            || !TryWindow(handle!, piece.Offset, piece.Length, "write", out outcome))
        {
            Tell(input.Ticket, WriteReplies.Fail(outcome, 1));
            return;
        }

        Send(new Forwarded(input.Ticket, piece.Head, handle!, IsChange: true, piece.Data.Length)
        {
            Refusal = failure => WriteReplies.Fail(failure, 1),
            Found = (reply, outcomes) => new WriteReplies { Outcomes = outcomes, Version = reply.Writes!.Version },
        }, pass => new()
        {
            Pass = pass,
            WritePiece = new() { Head = Bare(piece.Head, sinceMs), Offset = piece.Offset + Shift, Length = piece.Length, Piece = piece.Piece, Data = piece.Data },
        });
    }

    private void OpRange(CallInput input, OpRangeCall op, long sinceMs)
    {
        var isChange = op.Op is VmoOp.Commit or VmoOp.Decommit or VmoOp.Zero;
        if (isChange && Holds(input, sinceMs))
            return;
        var range = op.Range;
        if (TryOpen(Outcome.Ok, op.Head, isChange ? VmoRights.Write : VmoRights.Read, out var outcome, out var handle) && IsSlice)
        {
            outcome = op.Op is VmoOp.Zero or VmoOp.Prefetch
                ? Authority.CheckRange(handle!, range, state.Layer.Size, op.Op.ToString().ToLowerInvariant())
                : Authority.CutRange(handle!, op.Op, ref range, state.Layer.Size);
            if (outcome.IsOk && op.Op == VmoOp.Decommit)
                outcome = Sizes.CheckAligned(op.Range, state.Layer.Size);
        }

        if (outcome.IsOk)
            Call(input, handle!, op with { Range = range with { Offset = range.Offset + Shift } }, isChange, sinceMs);
        else
            Tell(input.Ticket, new VmoReply { Outcome = outcome });
    }

    private void Call(CallInput input, VmoRights needed, bool isChange, long sinceMs)
    {
        if (isChange && Holds(input, sinceMs))
            return;
        if (TryOpen(Outcome.Ok, input.Call.Head, needed, out var outcome, out var handle))
            Call(input, handle!, input.Call, isChange, sinceMs);
        else
            Tell(input.Ticket, new VmoReply { Outcome = outcome });
    }

    private void Call(CallInput input, HandleEntry handle, VmoCall call, bool isChange, long sinceMs) =>
        Send(new Forwarded(input.Ticket, call.Head, handle, isChange, Bytes: 0)
        {
            Refusal = failure => new VmoReply { Outcome = failure },
            Found = (reply, outcomes) => outcomes is null ? Shifted(reply.Reply!) : new VmoReply { Outcome = outcomes[0], Version = reply.Reply!.Version },
        }, pass => new() { Pass = pass, Call = call with { Head = Bare(call.Head, sinceMs) } });

    // What LOOKUP found, in the alias's offsets.
    private VmoReply Shifted(VmoReply reply) => reply.Runs is null || Shift == 0 ? reply : new()
    {
        Outcome = reply.Outcome,
        Runs = [.. reply.Runs.Select(run => run with { Range = run.Range with { Offset = run.Range.Offset - Shift } })],
        Number = reply.Number == 0 ? 0 : reply.Number - Shift,
        Version = reply.Version,
    };

    private bool Holds(VmoInput input, long sinceMs)
    {
        if (!queue.IsEnding)
            return false;
        if (_held.Count < Limits.QueueCallsPerVmoMax)
            _held.Add((input, sinceMs));
        else
            Refuse(input, new(VmoStatus.ShouldWait, $"{_held.Count} changes wait until handles are ended, the most", 10));
        return true;
    }

    private bool TryOpen(Outcome form, CallHead head, VmoRights needed, out Outcome outcome, out HandleEntry? handle)
    {
        handle = null;
        outcome = form.IsOk ? Authority.Check(state.Record.Handles, head.Secret, needed, state.Now, out handle) : form;
        if (handle is { ConfirmByMs: not 0 })
            heard(handle);
        return outcome.IsOk;
    }

    // A reference's size is its target's, which looks at it; a slice's never changes.
    private bool TryWindow(HandleEntry handle, ulong offset, int length, string call, out Outcome outcome)
    {
        outcome = IsSlice && length >= 0 ? Authority.CheckRange(handle, new(offset, (ulong)length), state.Layer.Size, call) : Outcome.Ok;
        return outcome.IsOk;
    }

    private Outcome[]? CheckWindow<T>(HandleEntry handle, T[] items, Func<T, ByteRange> rangeOf, string call)
    {
        Outcome[]? outcomes = null;
        for (var i = 0; IsSlice && i < items.Length; i++)
        {
            var outcome = Authority.CheckRange(handle, rangeOf(items[i]), state.Layer.Size, call);
            if (!outcome.IsOk)
                (outcomes ??= new Outcome[items.Length])[i] = outcome;
        }

        return outcomes;
    }

    private static IEnumerable<T> Passing<T>(T[] items, Outcome[]? own) => own is null ? items : items.Where((_, i) => own[i].IsOk);

    private static byte[] DataOf(WriteCalls writes, Outcome[] own)
    {
        var data = new List<byte>();
        var at = 0;
        for (var i = 0; i < writes.Items.Length; i++)
        {
            if (own[i].IsOk)
                data.AddRange(writes.Data.AsSpan(at, writes.Items[i].Length));
            at += writes.Items[i].Length;
        }

        return [.. data];
    }

    // The answers of all items: those refused here, and the target's for the others, in order.
    private static Outcome[]? Merge(Outcome[]? own, Outcome[]? theirs, int count)
    {
        if (own is null)
            return theirs;
        var merged = new Outcome[count];
        for (int i = 0, next = 0; i < count; i++)
            merged[i] = !own[i].IsOk ? own[i] : theirs is null ? Outcome.Ok : theirs[next++];
        return merged;
    }

    // The secret is the alias's business. What was held has less time left.
    private CallHead Bare(CallHead head, long sinceMs) =>
        head with { Secret = default, DeadlineMs = (int)Math.Max(1, head.DeadlineMs - (state.Now.MonotonicMs - sinceMs)) };

    private void Send(Forwarded forwarded, Func<AliasPass, ForwardCall> call)
    {
        if (_flying.Count >= Limits.QueueCallsPerVmoMax || _bytes + forwarded.Bytes > Limits.QueueBytesPerVmoMax)
        {
            Tell(forwarded.Ticket, forwarded.Refusal(new(VmoStatus.ShouldWait,
                $"{_flying.Count} calls with {_bytes} bytes were handed on by the {state.Record.Meta.Kind}; at most {Limits.QueueCallsPerVmoMax} and {Limits.QueueBytesPerVmoMax} bytes", 10)));
            return;
        }

        var handle = forwarded.Handle;
        ByteRange? range = handle.Range is { } allowed ? allowed with { Offset = allowed.Offset + Shift } : IsSlice ? new(Shift, state.Layer.Size) : null;
        _flying.Add(forwarded);
        _bytes += forwarded.Bytes;
        _changes += forwarded.IsChange ? 1 : 0;
        var pass = new AliasPass(state.Record.Meta.Koid, handle.Number, handle.Rights, handle.ExpiresMs, range, Term);
        state.Effects.Add(new SendForward(state.Record.Meta.ShownVmo, call(pass), forwarded));
    }

    private void Tell(Ticket ticket, object reply) => state.Effects.Add(new Answer(ticket, reply, FromMemory: true));

    private static Outcome Overtaken { get; } = new(VmoStatus.Io, "the call was overtaken by the VMO's move to another silo; try again", 20);

    /// <summary>One call handed on.</summary>
    internal sealed record Forwarded(Ticket Ticket, CallHead Head, HandleEntry Handle, bool IsChange, int Bytes)
    {
        public HandleSecret Secret => Head.Secret;

        /// <summary>The reply that says why nothing was done.</summary>
        public required Func<Outcome, object> Refusal { get; init; }

        /// <summary>The reply out of the target's, with these outcomes; null: all are Ok.</summary>
        public required Func<ForwardReply, Outcome[]?, object> Found { get; init; }

        /// <summary>What the target told, each of its outcomes.</summary>
        public static IReadOnlyList<Outcome> OutcomesOf(ForwardReply reply) =>
            !reply.Outcome.IsOk ? [reply.Outcome] : reply.Reads?.Outcomes ?? reply.Writes?.Outcomes ?? (reply.Reply is { Outcome.IsOk: false } call ? [call.Outcome] : []);

        /// <summary>What the caller is told: the target knows no handle only where the way to it was closed, and then it is this.</summary>
        public object Reply(ForwardReply reply, Outcome closed)
        {
            if (!reply.Outcome.IsOk)
                return Refusal(reply.Outcome.Status == VmoStatus.BadHandle ? closed : reply.Outcome);
            Outcome[] outcomes = [.. OutcomesOf(reply).Select(outcome => outcome.Status == VmoStatus.BadHandle ? closed : outcome)];
            return Found(reply, outcomes.Length == 0 ? null : outcomes);
        }

        public bool Equals(Forwarded? other) => ReferenceEquals(this, other);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
    }
}
