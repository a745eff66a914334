using VmoCluster.Core.Machine;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Fsx.Ops;
using VmoCluster.Messages;

namespace VmoCluster.Fsx.Targets;

/// <summary>The machines of the core on simulated silos, where everything happens in an order picked by seed.</summary>
/// <param name="seed">The order.</param>
/// <param name="lostPercent">In how many of a hundred commits, and tellings among kin, the answer is lost.</param>
internal class CoreTarget(int seed, int lostPercent = 0) : ITarget
{
    private const int TriesMax = 200;

    private readonly SimFamily _family = new(seed) { UnknownPercent = lostPercent, LostPercent = lostPercent };
    private readonly Dictionary<HandleName, VmoHandle> _handles = [];
    private bool _mayLeaveBlobs = lostPercent > 0;

    public TimeSpan Patience => TimeSpan.Zero;

    protected SimFamily Family => _family;

    public Task<Outcome> CreateAsync(HandleName name, ulong size, bool isFixed)
    {
        if (Sizes.TryRound(size, out _) is { IsOk: false } refusal)
            return Task.FromResult(refusal);
        _handles[name] = _family.CreateRoot(size, isFixed ? VmoOptions.NonResizable : VmoOptions.None);
        return Task.FromResult(Outcome.Ok);
    }

    public Task<Outcome> WriteAsync(HandleName on, ulong offset, byte[] data)
    {
        var (handle, request) = (_handles[on], _family.NextRequest());
        return Task.FromResult(Repeat(() => _family.Ask<WriteReplies>(handle.Koid, ticket => new WriteInput(ticket, new()
        {
            Head = SimFamily.Head(handle.Secret), Items = [new(request, offset, data.Length)], Data = data,
        })).Outcomes?[0] ?? Outcome.Ok));
    }

    public virtual Task<(Outcome Outcome, byte[] Data)> ReadAsync(HandleName on, ulong offset, ulong length)
    {
        byte[] data = [];
        var outcome = Repeat(() =>
        {
            (var read, data) = _family.Read(_handles[on], offset, (int)length);
            return read;
        });
        return Task.FromResult((outcome, data));
    }

    public virtual Task<Outcome> CallAsync(Op op)
    {
        var handle = _handles[op.On];
        var head = SimFamily.Head(handle.Secret, _family.NextRequest());
        var range = new ByteRange(op.A, op.B);
        return Task.FromResult(Call(handle, op.Kind switch
        {
            OpKind.Zero => new OpRangeCall(head, VmoOp.Zero, range),
            OpKind.Decommit => new OpRangeCall(head, VmoOp.Decommit, range),
            OpKind.Commit => new OpRangeCall(head, VmoOp.Commit, range),
            OpKind.Resize => new SetSizeCall(head, op.A),
            OpKind.Content => new SetContentSizeCall(head, op.A),
            OpKind.Close => new CloseCall(head),
            _ => new RevokeCall(head),
        }).Outcome);
    }

    public Task<Outcome> DuplicateAsync(HandleName on, HandleName to, VmoRights rights)
    {
        var (handle, secret) = (_handles[on], _family.NextSecret());
        var outcome = Call(handle, new DuplicateCall(SimFamily.Head(handle.Secret, _family.NextRequest()), secret, rights, 0, null)).Outcome;
        if (!outcome.IsOk)
            return Task.FromResult(outcome);
        _handles[to] = new(handle.Koid, secret);
        return Task.FromResult(Call(_handles[to], new ConfirmCall(SimFamily.Head(secret, _family.NextRequest()))).Outcome);
    }

    public Task<Outcome> CloneAsync(HandleName on, IReadOnlyList<ChildSpec> children)
    {
        var (specs, names) = (SpecsOf(children), NamesOf(children));
        var (handle, call) = (_handles[on], _family.CloneCall(_handles[on], names.Count, specs));
        var reply = Call(handle, call);
        for (var i = 0; i < names.Count && reply.Outcome.IsOk; i++)
            _handles[names[i]] = new(new(reply.Koid.Value + (ulong)i), call.Seed.Child(i));
        return Task.FromResult(reply.Outcome);
    }

    public Task<(Outcome Outcome, IReadOnlyList<LookupRun> Runs)> LookupAsync(HandleName on, ulong offset, ulong length)
    {
        var (handle, runs) = (_handles[on], new List<LookupRun>());
        for (var left = new ByteRange(offset, length); ;)
        {
            var reply = Call(handle, new OpRangeCall(SimFamily.Head(handle.Secret), VmoOp.Lookup, left));
            runs.AddRange(reply.Runs ?? []);
            if (!reply.Outcome.IsOk || reply.Number <= left.Offset || reply.Number >= left.End)
                return Task.FromResult((reply.Outcome, (IReadOnlyList<LookupRun>)runs));
            left = new(reply.Number, left.End - reply.Number);
        }
    }

    public Task<(Outcome Outcome, VmoInfo? Info)> InfoAsync(HandleName on)
    {
        var (handle, head) = (_handles[on], SimFamily.Head(_handles[on].Secret));
        var reply = Call(handle, new InfoCall(head, InfoTopic.Vmo));
        if (reply.Info is not { } info)
            return Task.FromResult((reply.Outcome, (VmoInfo?)null));

        // A reference is as large as what it refers to; a grain asks that for its callers, as here.
        if (info.Kind == VmoKind.Reference)
            info = info with { Size = Call(handle, new GetSizeCall(head)).Number, ContentSize = info.ContentSize is null ? null : Call(handle, new GetContentSizeCall(head)).Number };

        // Whose child a snapshot is after its parent's end is found out by the grains.
        return Task.FromResult((Outcome.Ok, (VmoInfo?)(info.Kind == VmoKind.Snapshot ? info with { Parent = NearestLiving(info.Parent) } : info)));
    }

    public int? NameOf(Koid koid)
    {
        foreach (var (name, handle) in _handles)
        {
            if (handle.Koid == koid)
                return name.Vmo;
        }

        return null;
    }

    public void Disturb(Op op)
    {
        switch (op.Kind)
        {
            case OpKind.Crash:
                _mayLeaveBlobs = true;
                _family.Crash((int)(op.A % 3));
                break;
            case OpKind.Some:
                _family.RunSome((int)op.A);
                break;
            case OpKind.Trim:
                _family.Budget.IsOver = !_family.Budget.IsOver;
                break;
        }
    }

    public Task SettleAsync()
    {
        _family.Settle();
        return Task.CompletedTask;
    }

    public Task<string?> CheckBooksAsync() => Task.FromResult(CoreBooks.Check(_family));

    public Task<string?> CheckEmptyAsync()
    {
        _family.Settle();
        // What a crash leaves in the way of blobs that no slot ever named goes with the VMO's next owner; there is none after its end.
        string? left = _family.Store.Koids.Any() ? "VMOs: " + _family.Describe() : _family.Store.Layers.Any() ? "layers: " + string.Join(' ', _family.Store.Layers)
            : !_mayLeaveBlobs && _family.Store.BlobCount > 0 ? $"{_family.Store.BlobCount} blobs" : null;
        return Task.FromResult(left);
    }

    public ValueTask DisposeAsync() => default;

    internal static CloneSpec[] SpecsOf(IReadOnlyList<ChildSpec> children)
    {
        // Alike ones are asked for as such, one description for all.
        var specs = children.Count == 1 ? children : children.SelectMany(spec => Enumerable.Repeat(spec, spec.Count));
        return [.. specs.Select(spec => new CloneSpec
        {
            Kind = spec.Kind, Offset = spec.Offset, Size = spec.Size, NonResizable = spec.IsFixed, NoWrite = spec.IsReadOnly,
            Zero = spec.HoleSize > 0 ? [new(spec.HoleAt, spec.HoleSize)] : null,
        })];
    }

    internal static List<HandleName> NamesOf(IReadOnlyList<ChildSpec> children) =>
        [.. children.SelectMany(spec => Enumerable.Range(spec.First, spec.Count)).Select(name => new HandleName(name))];

    private VmoReply Call(VmoHandle handle, VmoCall call)
    {
        VmoReply? reply = null;
        Repeat(() => (reply = _family.Call(handle.Koid, call)).Outcome);
        return reply!;
    }

    // A client repeats under the same request id.
    private Outcome Repeat(Func<Outcome> attempt)
    {
        for (var tries = 0; ; tries++)
        {
            var outcome = attempt();
            if (!outcome.Status.IsRetryable() || tries == TriesMax)
                return outcome;
            _family.Advance(50);
        }
    }

    private Koid NearestLiving(Koid koid)
    {
        while (!koid.IsNone && (!_family.Store.Exists(koid) || CoreBooks.RecordOf(_family, koid).State == Core.Record.VmoState.Dying))
        {
            if (!_family.Store.Exists(koid))
                return Koid.None;
            koid = CoreBooks.RecordOf(_family, koid).Meta.Parent;
        }

        return koid;
    }
}
