using VmoCluster.Fsx.Ops;

namespace VmoCluster.Fsx.Model;

/// <summary>
/// A family of VMOs and their handles, and what every call on them answers: the semantics with its order of refusals, without anything that is
/// there for speed, space or crashes.
/// </summary>
internal sealed class ModelFamily
{
    private const ulong Page = Limits.PageBytes;

    // READ, WRITE and all else that a new VMO's handle has (semantics 1.2, without EXECUTE).
    private const VmoRights OfNewVmo = VmoRights.Duplicate | VmoRights.Transfer | VmoRights.Wait | VmoRights.Inspect | VmoRights.Read | VmoRights.Write
        | VmoRights.Map | VmoRights.GetProperty | VmoRights.SetProperty | VmoRights.Signal;

    private readonly Dictionary<HandleName, ModelHandle> _handles = [];

    /// <summary>Open handles and those that are not, by name.</summary>
    public IReadOnlyDictionary<HandleName, ModelHandle> Handles => _handles;

    public IEnumerable<ModelVmo> Vmos => _handles.Where(handle => handle.Key.Number == 0).Select(handle => handle.Value.Vmo);

    /// <summary>Open handles, the first of each VMO.</summary>
    public IEnumerable<(HandleName Name, ModelHandle Handle)> Open => _handles.Where(handle => !handle.Value.IsClosed).GroupBy(handle => handle.Key.Vmo).Select(group => (group.First().Key, group.First().Value));

    /// <summary>Does an operation. Null: it names what there is not, so nobody does it.</summary>
    public Answer? Do(Op op)
    {
        if (op.Kind is OpKind.Rest or OpKind.Crash or OpKind.Some or OpKind.Trim)
            return Answer.Ok;
        if (op.Kind == OpKind.Create)
            return _handles.ContainsKey(op.On) ? null : Create(op);
        if (!_handles.TryGetValue(op.On, out var handle))
            return null;
        if ((op.Kind == OpKind.Dup && _handles.ContainsKey(op.New)) || op.Children.Any(spec => Enumerable.Range(spec.First, spec.Count).Any(name => _handles.ContainsKey(new(name)))))
            return null;
        return handle.IsClosed ? VmoStatus.BadHandle : (handle.Rights & Needed(op.Kind)) != Needed(op.Kind) ? VmoStatus.AccessDenied : Do(op, handle);
    }

    private static VmoRights Needed(OpKind kind) => kind switch
    {
        OpKind.Read or OpKind.Lookup => VmoRights.Read,
        OpKind.Write or OpKind.Zero or OpKind.Commit or OpKind.Decommit or OpKind.Resize => VmoRights.Write,
        OpKind.Content => VmoRights.SetProperty | VmoRights.Write,
        OpKind.Clone => VmoRights.Duplicate | VmoRights.Read,
        OpKind.Dup => VmoRights.Duplicate,
        _ => VmoRights.None,
    };

    private Answer Create(Op op)
    {
        if (!TryRound(op.A, out _))
            return VmoStatus.OutOfRange;
        var vmo = new ModelVmo(op.On.Vmo, VmoKind.Root, null, 0, op.A, op.IsFixed);
        Add(op.On, new(vmo, OfNewVmo, null));
        return Answer.Ok;
    }

    private Answer Do(Op op, ModelHandle handle)
    {
        var vmo = handle.Vmo;
        var (offset, length) = (op.A, op.B);
        switch (op.Kind)
        {
            case OpKind.Read:
                return IsInside(offset, length, vmo.Size) ? new Answer([VmoStatus.Ok], vmo.Read(offset, length)) : VmoStatus.OutOfRange;
            case OpKind.Write:
                if (!IsInside(offset, length, vmo.Size))
                    return VmoStatus.OutOfRange;
                vmo.Write(offset, Op.Bytes(op.Fill, offset, length));
                return Answer.Ok;
            case OpKind.Zero:
                if (!IsInside(offset, length, vmo.Size))
                    return VmoStatus.OutOfRange;
                vmo.Zero(offset, length);
                return Answer.Ok;
            case OpKind.Decommit or OpKind.Commit or OpKind.Lookup:
                return DoCut(op.Kind, vmo, offset, length);
            case OpKind.Resize:
                return Resize(vmo, op.A);
            case OpKind.Content:
                vmo.SetContentSize(op.A);
                return Answer.Ok;
            case OpKind.Clone:
                return Clone(op, handle);
            case OpKind.Dup:
                if ((op.Rights & ~handle.Rights) != 0)
                    return VmoStatus.InvalidArgs;
                Add(op.New, new(vmo, op.Rights, handle));
                return Answer.Ok;
            case OpKind.Close:
                handle.Close();
                vmo.End();
                return Answer.Ok;
            case OpKind.Revoke:
                foreach (var derived in vmo.Handles.Where(other => other.IsUnder(handle)))
                    derived.Close();
                vmo.End();
                return Answer.Ok;
            default:
                return Answer.Ok;
        }
    }

    // E18: cut to the size. HEAD: a decommit that would drop bytes beside its range is refused.
    private static Answer DoCut(OpKind kind, ModelVmo vmo, ulong offset, ulong length)
    {
        if (offset + length < offset || offset > vmo.Size)
            return VmoStatus.OutOfRange;
        var end = Math.Min(offset + length, vmo.Size);
        if (kind == OpKind.Decommit && (offset % Page != 0 || (length % Page != 0 && offset + length < vmo.Size)))
            return VmoStatus.InvalidArgs;
        if (end > offset && kind == OpKind.Commit)
            vmo.Commit(offset / Page, (end + Page - 1) / Page);
        if (kind == OpKind.Decommit)
            vmo.Decommit(offset / Page, end / Page);
        return Answer.Ok;
    }

    private static Answer Resize(ModelVmo vmo, ulong size)
    {
        if (vmo.IsFixed || !vmo.HasResizablePages)
            return VmoStatus.Unavailable;
        if (!TryRound(size, out var rounded))
            return VmoStatus.OutOfRange;
        if (vmo.RootOffset + rounded < rounded)
            return VmoStatus.InvalidArgs;
        vmo.SetSize(size);
        return Answer.Ok;
    }

    private Answer Clone(Op op, ModelHandle handle)
    {
        var vmo = handle.Vmo;
        var total = op.Children.Sum(spec => spec.Count);
        if (total is < 1 or > Limits.CloneCountMax)
            return VmoStatus.OutOfRange;
        foreach (var spec in op.Children)
        {
            if (Check(spec, vmo) is { IsOk: false } refusal)
                return refusal;
        }

        // All are decided as the parent is before any of them is.
        var children = new List<(int Name, ChildSpec Spec)>(op.Children.SelectMany(spec => Enumerable.Range(spec.First, spec.Count).Select(name => (name, spec))));
        if (op.Children.Any(spec => spec.Kind == VmoKind.Snapshot))
            vmo.Freeze();
        foreach (var (name, spec) in children)
        {
            var isFixed = spec.IsFixed || spec.IsReadOnly || spec.Kind == VmoKind.Slice || (spec.Kind == VmoKind.Reference && vmo.IsFixed);
            var child = new ModelVmo(name, spec.Kind, vmo, spec.Offset, spec.Size, isFixed);
            if (spec.HoleSize > 0)
                child.Hide(spec.HoleAt / Page, (spec.HoleAt + spec.HoleSize + Page - 1) / Page);
            var rights = handle.Rights | (spec.Kind is VmoKind.Live or VmoKind.Snapshot ? VmoRights.Write : 0);
            Add(new(name), new(child, spec.IsReadOnly ? rights & ~VmoRights.Write : rights, null));
        }

        return Answer.Ok;
    }

    private static Answer Check(ChildSpec spec, ModelVmo vmo)
    {
        var size = 0ul;
        if (spec.Kind == VmoKind.Reference)
        {
            if (spec.Offset != 0 || spec.Size != 0)
                return VmoStatus.InvalidArgs;
        }
        else
        {
            if (!TryRound(spec.Size, out size))
                return VmoStatus.OutOfRange;
            if (spec.Offset % Page != 0)
                return VmoStatus.InvalidArgs;
            if (spec.Offset + size < spec.Offset)
                return spec.Kind == VmoKind.Slice ? VmoStatus.InvalidArgs : VmoStatus.OutOfRange;
            if (spec is { Kind: VmoKind.Slice } && vmo is { Kind: VmoKind.Reference, HasResizablePages: true })
                return SliceOfUnknownSize;
            if (spec.Kind == VmoKind.Slice && spec.Offset + size > vmo.Size)
                return VmoStatus.InvalidArgs;
            var start = vmo.RootOffset + spec.Offset;
            if (start < spec.Offset || start + size < start)
                return VmoStatus.InvalidArgs;
        }

        if (spec.Kind == VmoKind.Slice && vmo.HasResizablePages)
            return VmoStatus.NotSupported;
        if (vmo.Kind == VmoKind.Slice && spec.Kind is VmoKind.Reference or VmoKind.Snapshot)
            return VmoStatus.NotSupported;
        if (spec.HoleSize > 0 && spec.Kind is VmoKind.Slice or VmoKind.Reference)
            return VmoStatus.InvalidArgs;
        return spec.HoleSize > 0 && (spec.HoleAt + spec.HoleSize < spec.HoleAt || spec.HoleAt + spec.HoleSize > size) ? VmoStatus.OutOfRange : Answer.Ok;
    }

    // A reference does not know how large what it refers to has become: either refusal is right.
    private static Answer SliceOfUnknownSize { get; } = new([VmoStatus.NotSupported, VmoStatus.InvalidArgs]);

    private void Add(HandleName name, ModelHandle handle)
    {
        _handles.Add(name, handle);
        handle.Vmo.Handles.Add(handle);
    }

    private static bool IsInside(ulong offset, ulong length, ulong size) => new ByteRange(offset, length).IsInside(size);

    private static bool TryRound(ulong size, out ulong rounded)
    {
        rounded = (size + Page - 1) & ~(Page - 1);
        return rounded >= size && rounded <= Limits.SizeBytesMax;
    }
}
