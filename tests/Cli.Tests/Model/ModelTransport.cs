using VmoCluster.Client;
using VmoCluster.Messages;

namespace VmoCluster.Cli.Tests.Model;

/// <summary>
/// A cluster in a dictionary, for what the command line makes of answers. It checks handles, rights and ranges in the cluster's order and
/// repeats its statuses; what it says about VMOs beyond that proves nothing about the real one.
/// </summary>
internal sealed partial class ModelTransport(TimeProvider time) : ITransport
{
    private readonly Lock _lock = new();
    private ulong _lastKoid = 100;

    public Dictionary<Koid, ModelVmo> Vmos { get; } = [];

    /// <summary>Looks at each call before it is done; what it returns other than Ok is the answer.</summary>
    public Func<string, Outcome> Before { get; set; } = _ => Outcome.Ok;

    /// <summary>The token that operator's calls must come with; the client's options have it.</summary>
    public bool IsOperator { get; set; }

    public ValueTask<CreateReply> CreateAsync(CreateCall call, CancellationToken cancellation)
    {
        lock (_lock)
        {
            if (Before("create") is { IsOk: false } refused)
                return new(new CreateReply { Outcome = refused });
            if (call.Size > Limits.SizeBytesMax)
                return new(new CreateReply { Outcome = new(VmoStatus.OutOfRange, $"size {call.Size} is above {Limits.SizeBytesMax}") });
            var koid = new Koid(++_lastKoid);
            var size = (call.Size + Limits.PageBytes - 1) / Limits.PageBytes * Limits.PageBytes;
            var vmo = new ModelVmo { Size = size, ContentSize = call.Size, IsFixed = call.Options != 0, Name = call.Name, Labels = call.Labels ?? [] };
            vmo.Handles[call.Head.Secret] = new(All, 0, null, default);
            Vmos[koid] = vmo;
            return new(new CreateReply { Koid = koid, Size = size, Rights = All });
        }
    }

    public ValueTask<VmoReply> CallAsync(Koid koid, VmoCall call, CancellationToken cancellation)
    {
        lock (_lock)
            return new(Call(koid, call));
    }

    public ValueTask<ReadReplies> ReadAsync(Koid koid, ReadCalls reads, CancellationToken cancellation)
    {
        lock (_lock)
        {
            var (refused, vmo, handle) = Open(koid, reads.Head.Secret, VmoRights.Read, "read");
            if (!refused.IsOk)
                return new(ReadReplies.Fail(refused, reads.Items.Length));
            var outcomes = reads.Items.Select(i => InRange(vmo!, handle!, new(i.Offset, (ulong)i.Length))).ToArray();
            var data = reads.Items.Where((_, i) => outcomes[i].IsOk).SelectMany(i => vmo!.Read(i.Offset, i.Length)).ToArray();
            return new(new ReadReplies { Outcomes = outcomes, Data = data, Version = 1 });
        }
    }

    public ValueTask<ReadReplies> ReadPieceAsync(Koid koid, ReadPieceCall piece, CancellationToken cancellation)
    {
        lock (_lock)
        {
            var (refused, vmo, handle) = Open(koid, piece.Head.Secret, VmoRights.Read, "read");
            var outcome = refused.IsOk ? InRange(vmo!, handle!, new(piece.Whole.Offset, (ulong)piece.Whole.Length)) : refused;
            if (!outcome.IsOk)
                return new(ReadReplies.Fail(outcome, 1));
            var from = piece.Piece * Limits.MessageBytesMax;
            var length = Math.Min(Limits.MessageBytesMax, piece.Whole.Length - from);
            return new(new ReadReplies { Data = vmo!.Read(piece.Whole.Offset + (ulong)from, length), Version = 1 });
        }
    }

    public ValueTask<WriteReplies> WriteAsync(Koid koid, WriteCalls writes, CancellationToken cancellation)
    {
        lock (_lock)
        {
            var (refused, vmo, handle) = Open(koid, writes.Head.Secret, VmoRights.Write, "write");
            if (!refused.IsOk)
                return new(WriteReplies.Fail(refused, writes.Items.Length));
            var (outcomes, at) = (new List<Outcome>(), 0);
            foreach (var item in writes.Items)
            {
                var outcome = InRange(vmo!, handle!, new(item.Offset, (ulong)item.Length));
                if (outcome.IsOk)
                    vmo!.Write(item.Offset, writes.Data.AsSpan(at, item.Length));
                outcomes.Add(outcome);
                at += item.Length;
            }

            return new(new WriteReplies { Outcomes = [.. outcomes], Version = 2 });
        }
    }

    public ValueTask<WriteReplies> WritePieceAsync(Koid koid, WritePieceCall piece, CancellationToken cancellation)
    {
        lock (_lock)
        {
            var (refused, vmo, handle) = Open(koid, piece.Head.Secret, VmoRights.Write, "write");
            var outcome = refused.IsOk ? InRange(vmo!, handle!, new(piece.Offset, (ulong)piece.Length)) : refused;
            if (!outcome.IsOk)
                return new(WriteReplies.Fail(outcome, 1));
            // Piece by piece: nobody looks between them here.
            vmo!.Write(piece.Offset + (ulong)(piece.Piece * Limits.MessageBytesMax), piece.Data);
            return new(new WriteReplies { Version = 2 });
        }
    }

    public ValueTask<ListReply> ListAsync(ListCall list, CancellationToken cancellation)
    {
        lock (_lock)
        {
            if (!IsOperator)
                return new(new ListReply { Outcome = new(VmoStatus.AccessDenied, "the operator's credential is needed") });
            var vmos = Vmos.Where(v => v.Key > list.After && (list.LabelKey is null || (v.Value.Labels.TryGetValue(list.LabelKey, out var value) && value == list.LabelValue)))
                .Where(v => list.NameGlob is null || System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(list.NameGlob, v.Value.Name, false))
                .OrderBy(v => v.Key).Select(v => Info(v.Key, v.Value, new(All, 0, null, default))).ToArray();
            return new(new ListReply { Vmos = vmos });
        }
    }

    public ValueTask<string> ServerVersionAsync(CancellationToken cancellation) => new("9.9.9");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static VmoRights All => VmoRights.Duplicate | VmoRights.Transfer | VmoRights.Read | VmoRights.Write | VmoRights.Map | VmoRights.GetProperty |
        VmoRights.SetProperty | VmoRights.Signal | VmoRights.Wait | VmoRights.Inspect;

    private VmoReply Call(Koid koid, VmoCall call)
    {
        if (call is OperatorHandleCall lost)
        {
            if (!IsOperator || !Vmos.TryGetValue(koid, out var found))
                return VmoReply.Fail(IsOperator ? VmoStatus.NotFound : VmoStatus.AccessDenied, $"no VMO {koid} for you");
            found.Handles[lost.NewSecret] = new(All, 0, null, default);
            return new() { Rights = All };
        }

        var needed = call switch
        {
            SetSizeCall => VmoRights.Write,
            OpRangeCall { Op: VmoOp.Lookup } => VmoRights.Read,
            OpRangeCall => VmoRights.Write,
            GetNameCall or GetContentSizeCall => VmoRights.GetProperty,
            SetNameCall => VmoRights.SetProperty,
            SetContentSizeCall => VmoRights.SetProperty | VmoRights.Write,
            SignalCall => VmoRights.Signal,
            WaitCall => VmoRights.Wait,
            DuplicateCall => VmoRights.Duplicate,
            CloneCall => VmoRights.Duplicate | VmoRights.Read,
            TreeCall => VmoRights.Inspect,
            ExplainCall => VmoRights.Read,
            _ => VmoRights.None,
        };
        var (refused, vmo, handle) = Open(koid, call.Head.Secret, needed, call.GetType().Name);
        if (!refused.IsOk)
            return new() { Outcome = refused };
        switch (call)
        {
            case GetSizeCall:
                return new() { Number = vmo!.Size };
            case SetSizeCall when vmo!.IsFixed:
                return VmoReply.Fail(VmoStatus.Unavailable, $"VMO {koid} is not resizable");
            case SetSizeCall { Size: > Limits.SizeBytesMax } set:
                return VmoReply.Fail(VmoStatus.OutOfRange, $"size {set.Size} is above {Limits.SizeBytesMax}");
            case SetSizeCall set:
                vmo!.Resize((set.Size + Limits.PageBytes - 1) / Limits.PageBytes * Limits.PageBytes);
                return VmoReply.Ok;
            case GetContentSizeCall:
                return new() { Number = vmo!.ContentSize };
            case SetContentSizeCall set:
                vmo!.ContentSize = set.Size;
                return VmoReply.Ok;
            case GetNameCall:
                return new() { Name = vmo!.Name };
            case SetNameCall set:
                vmo!.Name = set.Name;
                return VmoReply.Ok;
            case InfoCall:
                return new() { Info = Info(koid, vmo!, handle!) };
            case OpRangeCall op:
                return OpRange(koid, vmo!, handle!, op);
            case SignalCall signal when ((signal.Set | signal.Clear) & ~VmoSignals.UserAll) != 0:
                return VmoReply.Fail(VmoStatus.InvalidArgs, "only user signals can be set or cleared");
            case SignalCall signal:
                vmo!.Signals = (vmo.Signals & ~signal.Clear) | signal.Set;
                return VmoReply.Ok;
            case WaitCall wait:
                return new() { Outcome = (vmo!.Signals & wait.Mask) != 0 ? Outcome.Ok : new(VmoStatus.TimedOut, "not yet"), Signals = vmo.Signals };
            case DuplicateCall duplicate:
                return Derive(vmo!, handle!, call.Head.Secret, duplicate.NewSecret, duplicate.Rights, duplicate.ExpiresMs, duplicate.Range);
            case ReplaceCall replace:
                vmo!.Handles.Remove(call.Head.Secret);
                return Derive(vmo, handle!, handle!.Parent, replace.NewSecret, replace.Rights, handle.ExpiresMs, handle.Range);
            case CloneCall clone:
                return Clone(koid, vmo!, handle!, clone);
            case TreeCall:
                return Tree(koid);
            case ExplainCall explain:
                return Explain(koid, vmo!, explain);
            case RenewCall renew:
                vmo!.Handles[call.Head.Secret] = handle! with { ExpiresMs = renew.ExpiresMs };
                return new() { Number = (ulong)renew.ExpiresMs };
            case CloseCall:
                Close(koid, vmo!, call.Head.Secret);
                return VmoReply.Ok;
            case RevokeCall:
                Revoke(koid, vmo!, call.Head.Secret);
                return VmoReply.Ok;
            default:
                return VmoReply.Ok;
        }
    }

    private static VmoReply OpRange(Koid koid, ModelVmo vmo, ModelHandle handle, OpRangeCall op)
    {
        if (InRange(vmo, handle, op.Range) is { IsOk: false } outside)
            return new() { Outcome = outside };
        if (op.Op == VmoOp.Lookup)
        {
            var runs = vmo.Pages.Where(p => p.Key * Limits.PageBytes >= op.Range.Offset && p.Key * Limits.PageBytes < op.Range.End)
                .Select(p => new LookupRun(new(p.Key * Limits.PageBytes, Limits.PageBytes), !ModelVmo.IsData(p.Value), koid)).ToArray();
            return new() { Runs = runs };
        }

        if (op.Op == VmoOp.Decommit && (op.Range.Offset % Limits.PageBytes != 0 || op.Range.Length % Limits.PageBytes != 0))
            return VmoReply.Fail(VmoStatus.InvalidArgs, $"{op.Range} is not whole pages");
        if (op.Op == VmoOp.Commit)
        {
            for (var page = op.Range.Offset / Limits.PageBytes; page * Limits.PageBytes < op.Range.End; page++)
                vmo.Pages.TryAdd(page, new byte[Limits.PageBytes]);
        }
        else
        {
            vmo.Write(op.Range.Offset, new byte[op.Range.Length]);
        }

        return VmoReply.Ok;
    }

    private static VmoReply Derive(ModelVmo vmo, ModelHandle source, HandleSecret parent, HandleSecret secret, VmoRights asked, long expiresMs, ByteRange? range)
    {
        var rights = asked == VmoRights.SameRights ? source.Rights : asked;
        if ((rights & ~source.Rights) != 0)
            return VmoReply.Fail(VmoStatus.InvalidArgs, $"rights 0x{(uint)rights:x} are not among 0x{(uint)source.Rights:x}");
        vmo.Handles[secret] = new(rights, expiresMs, range ?? source.Range, parent);
        return new() { Rights = rights };
    }

    private (Outcome Refused, ModelVmo? Vmo, ModelHandle? Handle) Open(Koid koid, HandleSecret secret, VmoRights needed, string call)
    {
        if (Before(call) is { IsOk: false } refused)
            return (refused, null, null);
        if (!Vmos.TryGetValue(koid, out var vmo) || !vmo.Handles.TryGetValue(secret, out var handle) ||
            (handle.ExpiresMs != 0 && handle.ExpiresMs <= time.GetUtcNow().ToUnixTimeMilliseconds()))
        {
            return (new(VmoStatus.BadHandle, $"no such handle of VMO {koid}"), null, null);
        }

        return (handle.Rights & needed) == needed
            ? (Outcome.Ok, vmo, handle)
            : (new(VmoStatus.AccessDenied, $"rights 0x{(uint)needed:x} are needed, the handle has 0x{(uint)handle.Rights:x}"), null, null);
    }

    private static Outcome InRange(ModelVmo vmo, ModelHandle handle, ByteRange range) =>
        !range.IsInside(vmo.Size) ? new(VmoStatus.OutOfRange, $"{range} is outside the size {vmo.Size}")
        : handle.Range is { } allowed && !allowed.Contains(range) ? new(VmoStatus.OutOfRange, $"{range} is outside the handle's {allowed}")
        : Outcome.Ok;

    private void Close(Koid koid, ModelVmo vmo, HandleSecret secret)
    {
        vmo.Handles.Remove(secret);
        if (vmo.Handles.Count == 0 && Vmos.Values.All(other => other.Parent != koid))
            Vmos.Remove(koid);
    }

    private void Revoke(Koid koid, ModelVmo vmo, HandleSecret secret)
    {
        foreach (var derived in vmo.Handles.Where(h => h.Value.Parent == secret).Select(h => h.Key).ToArray())
            Revoke(koid, vmo, derived);
        Close(koid, vmo, secret);
    }

    private VmoInfo Info(Koid koid, ModelVmo vmo, ModelHandle handle)
    {
        var (mayRead, mayInspect) = ((handle.Rights & VmoRights.GetProperty) != 0, (handle.Rights & VmoRights.Inspect) != 0);
        return new()
        {
            Koid = koid,
            Rights = handle.Rights,
            HandleCount = mayInspect ? vmo.Handles.Count : null,
            Name = mayRead ? vmo.Name : null,
            Size = vmo.Size,
            ContentSize = mayRead ? vmo.ContentSize : null,
            IsResizable = !vmo.IsFixed,
            Kind = vmo.Kind,
            Parent = vmo.Parent,
            Offset = vmo.Offset,
            ChildCount = Vmos.Values.Count(other => other.Parent == koid),
            CommittedBytes = (ulong)vmo.Pages.Count * Limits.PageBytes,
            ChargedBytes = vmo.StoredBytes,
            WouldFreeBytes = vmo.StoredBytes,
            Version = 1,
            Signals = vmo.Signals,
            ExpiresMs = handle.ExpiresMs,
            Range = handle.Range,
            Labels = mayRead ? vmo.Labels : null,
        };
    }
}
