using VmoCluster.Messages;

namespace VmoCluster.Client.Tests.Model;

public sealed partial class ModelCluster
{
    private CreateReply Create(CreateCall call)
    {
        if (_created.TryGetValue(call.Head.Request, out var known))
            return known;
        if ((call.Options & ~VmoOptions.NonResizable) != 0)
            return new() { Outcome = new(VmoStatus.InvalidArgs, $"unknown option bits {(uint)call.Options:x}") };
        if (call.Size > Limits.SizeBytesMax)
            return new() { Outcome = new(VmoStatus.OutOfRange, $"size {call.Size}, at most {Limits.SizeBytesMax}") };
        var vmo = new ModelVmo(new(++_lastKoid), call.Size) { Options = call.Options, Name = call.Name, Labels = call.Labels };
        vmo.Handles[call.Head.Secret] = new(All) { IsConfirmed = call.Confirmed };
        _vmos[vmo.Koid] = vmo;
        var reply = new CreateReply { Koid = vmo.Koid, Size = vmo.Size, Rights = All };
        if (!call.Head.Request.IsNone)
            _created[call.Head.Request] = reply;
        return reply;
    }

    private Outcome Enter(Koid koid, HandleSecret secret, VmoRights needed, out ModelVmo vmo)
    {
        if (!_vmos.TryGetValue(koid, out vmo!) || !vmo.Handles.TryGetValue(secret, out var handle))
            return new(VmoStatus.BadHandle, $"koid {koid}: no such handle");
        return (handle.Rights & needed) == needed ? Outcome.Ok : new(VmoStatus.AccessDenied, $"the handle lacks {needed & ~handle.Rights}");
    }

    private ReadReplies Read(Koid koid, ReadCalls reads)
    {
        var outcome = Enter(koid, reads.Head.Secret, VmoRights.Read, out var vmo);
        if (!outcome.IsOk)
            return ReadReplies.Fail(outcome, reads.Items.Length);
        var outcomes = reads.Items.Select(item => Inside(vmo, item.Offset, item.Length)).ToArray();
        var data = reads.Items.Where((_, i) => outcomes[i].IsOk).SelectMany(item => vmo.Bytes.AsSpan((int)item.Offset, item.Length).ToArray()).ToArray();
        return new() { Outcomes = outcomes.All(one => one.IsOk) ? null : outcomes, Data = data, Version = vmo.Version };
    }

    private ReadReplies ReadPiece(Koid koid, ReadPieceCall piece)
    {
        var outcome = Enter(koid, piece.Head.Secret, VmoRights.Read, out var vmo);
        if (outcome.IsOk)
            outcome = Inside(vmo, piece.Whole.Offset, piece.Whole.Length);
        if (!outcome.IsOk)
            return ReadReplies.Fail(outcome, 1);
        if (!vmo.Pinned.TryGetValue(piece.Head.Request, out var pinned))
        {
            pinned = (vmo.Bytes.AsSpan((int)piece.Whole.Offset, piece.Whole.Length).ToArray(), vmo.Version);
            vmo.Pinned[piece.Head.Request] = pinned;
        }

        var start = piece.Piece * Limits.MessageBytesMax;
        return new() { Data = pinned.Bytes[start..Math.Min(pinned.Bytes.Length, start + Limits.MessageBytesMax)], Version = pinned.Version };
    }

    /// <summary>What a silo's death does to a read in pieces: the version that was pinned for it is gone.</summary>
    public void ForgetPinned(Koid koid)
    {
        lock (_gate)
        {
            _vmos[koid].Pinned.Clear();
            _vmos[koid].Version++;
        }
    }

    private WriteReplies Write(Koid koid, WriteCalls writes)
    {
        var outcome = Enter(koid, writes.Head.Secret, VmoRights.Write, out var vmo);
        if (!outcome.IsOk)
            return WriteReplies.Fail(outcome, writes.Items.Length);
        var (at, outcomes) = (0, new Outcome[writes.Items.Length]);
        for (var i = 0; i < outcomes.Length; i++)
        {
            var item = writes.Items[i];
            outcomes[i] = Once(vmo, item.Request, () => Store(vmo, item.Offset, writes.Data.AsSpan(at, item.Length)));
            at += item.Length;
        }

        return new() { Outcomes = outcomes.All(one => one.IsOk) ? null : outcomes, Version = vmo.Version };
    }

    private Task<WriteReplies> WritePiece(Koid koid, WritePieceCall piece)
    {
        var outcome = Enter(koid, piece.Head.Secret, VmoRights.Write, out var vmo);
        if (!outcome.IsOk)
            return Task.FromResult(WriteReplies.Fail(outcome, 1));
        if (vmo.Answered.TryGetValue(piece.Head.Request, out var known))
            return Task.FromResult(new WriteReplies { Outcomes = [(Outcome)known], Version = vmo.Version });
        if (!vmo.Staged.TryGetValue(piece.Head.Request, out var staged))
            vmo.Staged[piece.Head.Request] = staged = new(piece.Length);
        piece.Data.CopyTo(staged.Bytes, piece.Piece * Limits.MessageBytesMax);
        if (staged.Pieces.Add(piece.Piece) && staged.Pieces.Count == (piece.Length + Limits.MessageBytesMax - 1) / Limits.MessageBytesMax)
        {
            outcome = Once(vmo, piece.Head.Request, () => Store(vmo, piece.Offset, staged.Bytes));
            staged.Done.SetResult(new() { Outcomes = [outcome], Version = vmo.Version });
        }

        return staged.Done.Task;
    }

    private VmoReply Call(Koid koid, VmoCall call)
    {
        var needed = call switch
        {
            SetSizeCall or OpRangeCall { Op: not VmoOp.Lookup } => VmoRights.Write,
            OpRangeCall => VmoRights.Read,
            GetNameCall or GetContentSizeCall => VmoRights.GetProperty,
            SetNameCall => VmoRights.SetProperty,
            SetContentSizeCall => VmoRights.SetProperty | VmoRights.Write,
            SignalCall => VmoRights.Signal,
            DuplicateCall => VmoRights.Duplicate,
            CloneCall => VmoRights.Duplicate | VmoRights.Read,
            TreeCall => VmoRights.Inspect,
            ExplainCall => VmoRights.Read,
            _ => VmoRights.None,
        };
        if (call is OperatorHandleCall operatorCall)
            return OperatorHandle(koid, operatorCall);
        if (_vmos.TryGetValue(koid, out var known) && known.Answered.TryGetValue(call.Head.Request, out var answer))
            return (VmoReply)answer;
        var outcome = Enter(koid, call.Head.Secret, needed, out var vmo);
        if (!outcome.IsOk)
            return new() { Outcome = outcome };
        var reply = call switch
        {
            CloneCall clone => Clone(vmo, clone),
            TreeCall tree => Tree(vmo, tree),
            ExplainCall explain => Explain(vmo, explain),
            _ => Do(vmo, call),
        };
        if (!call.Head.Request.IsNone)
        {
            vmo.Answered[call.Head.Request] = reply;
            vmo.Effects[call.Head.Request] = vmo.Effects.GetValueOrDefault(call.Head.Request) + 1;
        }

        vmo.Changed.TrySetResult();
        vmo.Changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        return reply;
    }

    private VmoReply OperatorHandle(Koid koid, OperatorHandleCall call)
    {
        if (!call.Head.Caller.IsOperator)
            return VmoReply.Fail(VmoStatus.AccessDenied, "operator only");
        if (!_vmos.TryGetValue(koid, out var vmo))
            return VmoReply.Fail(VmoStatus.NotFound, $"no VMO {koid}");
        vmo.Handles[call.NewSecret] = new(All);
        return new() { Rights = All };
    }

    private VmoReply Do(ModelVmo vmo, VmoCall call)
    {
        var handle = vmo.Handles[call.Head.Secret];
        switch (call)
        {
            case GetSizeCall:
                return new() { Number = vmo.Size, Version = vmo.Version };
            case SetSizeCall when vmo.Options.HasFlag(VmoOptions.NonResizable):
                return VmoReply.Fail(VmoStatus.Unavailable, "not resizable");
            case SetSizeCall resize:
                vmo.Resize(resize.Size);
                return new() { Version = ++vmo.Version };
            case OpRangeCall { Op: VmoOp.Zero } zero:
                vmo.Bytes.AsSpan((int)zero.Range.Offset, (int)zero.Range.Length).Clear();
                return new() { Version = ++vmo.Version };
            case OpRangeCall { Op: VmoOp.Lookup } lookup:
                return Lookup(vmo, lookup.Range);
            case OpRangeCall { Op: VmoOp.Commit or VmoOp.Decommit }:
                return new() { Version = vmo.Version };
            case OpRangeCall other:
                return VmoReply.Fail(VmoStatus.InvalidArgs, $"no operation {(uint)other.Op}");
            case GetNameCall:
                return new() { Name = vmo.Name };
            case SetNameCall name:
                vmo.Name = name.Name;
                return VmoReply.Ok;
            case GetContentSizeCall:
                return new() { Number = vmo.ContentSize };
            case SetContentSizeCall size:
                vmo.ContentSize = size.Size;
                return VmoReply.Ok;
            case InfoCall { Topic: InfoTopic.HandleCount }:
                return new() { Number = (ulong)vmo.Handles.Count };
            case InfoCall { Topic: InfoTopic.HandleValid }:
                return VmoReply.Ok;
            case InfoCall:
                return new() { Info = InfoOf(vmo, handle) };
            case SignalCall signal when ((signal.Clear | signal.Set) & ~VmoSignals.UserAll) != 0:
                return VmoReply.Fail(VmoStatus.InvalidArgs, "not a user signal");
            case SignalCall signal:
                vmo.Signals = (vmo.Signals & ~signal.Clear) | signal.Set;
                return new() { Signals = vmo.Signals };
            case DuplicateCall duplicate:
                return Issue(vmo, handle, duplicate.NewSecret, duplicate.Rights, duplicate.ExpiresMs, duplicate.Range, call.Head.Secret);
            case ReplaceCall replace:
                vmo.Handles.Remove(call.Head.Secret);
                return Issue(vmo, handle, replace.NewSecret, replace.Rights, handle.ExpiresMs, handle.Range, null);
            case CloseCall:
                vmo.Handles.Remove(call.Head.Secret);
                return VmoReply.Ok;
            case RevokeCall:
                Revoke(vmo, call.Head.Secret);
                return VmoReply.Ok;
            case RenewCall renew:
                handle.ExpiresMs = renew.ExpiresMs;
                return new() { Number = (ulong)handle.ExpiresMs };
            case ConfirmCall:
                handle.IsConfirmed = true;
                return VmoReply.Ok;
            default:
                return VmoReply.Fail(VmoStatus.NotSupported, call.GetType().Name);
        }
    }

    private static VmoReply Issue(
        ModelVmo vmo, ModelHandle from, HandleSecret secret, VmoRights asked, long expiresMs, ByteRange? range, HandleSecret? parent)
    {
        var rights = asked == VmoRights.SameRights ? from.Rights : asked;
        if ((rights & ~from.Rights) != 0)
            return VmoReply.Fail(VmoStatus.InvalidArgs, $"rights {rights & ~from.Rights} are not the handle's");
        vmo.Handles[secret] = new(rights) { ExpiresMs = expiresMs, Range = range ?? from.Range, Parent = parent };
        return new() { Rights = rights };
    }

    private static void Revoke(ModelVmo vmo, HandleSecret secret)
    {
        vmo.Handles.Remove(secret);
        foreach (var derived in vmo.Handles.Where(pair => pair.Value.Parent == secret).Select(pair => pair.Key).ToArray())
            Revoke(vmo, derived);
    }

    // One page a run and two runs an answer: who asks for more must ask on.
    private static VmoReply Lookup(ModelVmo vmo, ByteRange range)
    {
        var runs = new List<LookupRun>();
        for (var page = range.Offset / Limits.PageBytes; page * Limits.PageBytes < Math.Min(range.End, vmo.Size); page++)
        {
            var bytes = new ByteRange(page * Limits.PageBytes, Limits.PageBytes);
            if (vmo.Bytes.AsSpan((int)bytes.Offset, Limits.PageBytes).IndexOfAnyExcept((byte)0) >= 0)
                runs.Add(new(bytes, false, vmo.Koid));
            if (runs.Count == 2)
                return new() { Runs = [.. runs], Number = bytes.End < Math.Min(range.End, vmo.Size) ? bytes.End : 0 };
        }

        return new() { Runs = [.. runs] };
    }

    private VmoInfo InfoOf(ModelVmo vmo, ModelHandle handle) => new()
    {
        Koid = vmo.Koid,
        Rights = handle.Rights,
        HandleCount = handle.Rights.HasFlag(VmoRights.Inspect) ? vmo.Handles.Count : null,
        Name = handle.Rights.HasFlag(VmoRights.GetProperty) ? vmo.Name : null,
        Size = vmo.Size,
        ContentSize = handle.Rights.HasFlag(VmoRights.GetProperty) ? vmo.ContentSize : null,
        IsResizable = !vmo.Options.HasFlag(VmoOptions.NonResizable),
        Kind = vmo.Kind,
        Parent = vmo.Parent,
        Offset = vmo.Offset,
        ChildCount = _vmos.Values.Count(other => other.Parent == vmo.Koid),
        CommittedBytes = 3 * Limits.PageBytes,
        ChargedBytes = ulong.MaxValue,
        WouldFreeBytes = 1UL << 63,
        Version = vmo.Version,
        Signals = vmo.Signals,
        ExpiresMs = handle.ExpiresMs,
        Range = handle.Range,
        Labels = handle.Rights.HasFlag(VmoRights.GetProperty) ? vmo.Labels : null,
        Tenant = "default",
    };

    private (VmoReply, Task) Observe(Koid koid, WaitCall wait)
    {
        var outcome = Enter(koid, wait.Head.Secret, VmoRights.Wait, out var vmo);
        if (!outcome.IsOk)
            return (new() { Outcome = outcome }, Task.CompletedTask);
        var isSeen = (vmo.Signals & wait.Mask) != 0;
        return (new() { Outcome = isSeen ? Outcome.Ok : new(VmoStatus.TimedOut, "not seen"), Signals = vmo.Signals }, vmo.Changed.Task);
    }

    private ListReply List(ListCall list)
    {
        if (!list.Caller.IsOperator)
            return new() { Outcome = new(VmoStatus.AccessDenied, "operator only") };
        var found = _vmos.Values
            .Where(vmo => vmo.Koid > list.After)
            .Where(vmo => list.LabelKey is null || vmo.Labels?.GetValueOrDefault(list.LabelKey) == list.LabelValue)
            .OrderBy(vmo => vmo.Koid)
            .ToArray();

        // Two at a time, whatever is asked: who lists must ask on.
        return new() { Vmos = [.. found.Take(2).Select(vmo => InfoOf(vmo, new(All)))], More = found.Length > 2 };
    }

    private static Outcome Inside(ModelVmo vmo, ulong offset, int length) => new ByteRange(offset, (ulong)length).IsInside(vmo.Size)
        ? Outcome.Ok
        : new(VmoStatus.OutOfRange, $"{length} bytes at {offset}, the size is {vmo.Size}");

    private static Outcome Store(ModelVmo vmo, ulong offset, ReadOnlySpan<byte> bytes)
    {
        var outcome = Inside(vmo, offset, bytes.Length);
        if (!outcome.IsOk)
            return outcome;
        bytes.CopyTo(vmo.Bytes.AsSpan((int)offset));
        vmo.Version++;
        return outcome;
    }

    private static Outcome Once(ModelVmo vmo, RequestId request, Func<Outcome> run)
    {
        if (!request.IsNone && vmo.Answered.TryGetValue(request, out var known))
            return (Outcome)known;
        var outcome = run();
        if (request.IsNone)
            return outcome;
        vmo.Answered[request] = outcome;
        vmo.Effects[request] = vmo.Effects.GetValueOrDefault(request) + 1;
        return outcome;
    }
}
