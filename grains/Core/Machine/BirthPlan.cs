using VmoCluster.Core.Family;
using VmoCluster.Core.Handles;
using VmoCluster.Core.Live;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// Decides a clone call: what stands against it, in the order of semantics 2.1 (the seed's call) and 3.1 (the other kinds) as ruled, and what
/// the children will be.
/// </summary>
internal sealed class BirthPlan(VmoRecord record, LayerHead layer, HandleEntry handle, CloneCall call, Instant now, LiveMoment? moment = null)
{
    private readonly List<Birth> _births = [];
    private int _windows;

    /// <summary>The decision, when it is Ok.</summary>
    public BirthIntent Intent => new(
        HasSnapshots && MustFreeze ? layer.Id.Number : 0, layer.Seq + 1, call.Head.Request, _births,
        [.. (moment?.Levels ?? []).Where(level => level.Layer != 0).Select(level => new PinnedLayer(new(level.Vmo, level.Layer), level.Stamp))]);

    /// <summary>Whether it can be decided only over one moment of all live ancestors.</summary>
    public bool NeedsMoment => HasSnapshots && record.Meta.Kind is VmoKind.Live or VmoKind.Reference;

    private bool HasSnapshots => _births.Any(birth => birth.Meta.Kind == VmoKind.Snapshot);

    /// <summary>What the call answers.</summary>
    public VmoReply Reply => new() { Koid = _births[0].Meta.Koid, Number = _births[0].Size, Rights = _births[0].Handle.Rights };

    /// <summary>What a call that was answered before is answered again: the same children, as the handle's rights are now.</summary>
    public static VmoReply Again(VmoRecord record, LayerHead layer, CloneCall call, Koid first, Instant now)
    {
        var handle = record.Handles.Find(call.Head.Secret.Hash(), now.UnixMs);
        var plan = handle is null ? null : new BirthPlan(record, layer, handle, call with { First = first, Count = 1, Specs = [call.Specs[0]] }, now);
        return plan?.Decide().IsOk == true ? plan.Reply : new() { Koid = first };
    }

    public Outcome Decide()
    {
        if (call.Count is < 1 or > Limits.CloneCountMax)
            return new(VmoStatus.OutOfRange, $"{call.Count} children asked for; 1 to {Limits.CloneCountMax} in one call");
        if (call.Specs.Length != 1 && call.Specs.Length != call.Count)
            return new(VmoStatus.InvalidArgs, $"{call.Specs.Length} descriptions for {call.Count} children; give one, or one each");
        if (record.Children.Count + call.Count > Limits.ChildrenPerVmoMax)
            return new(VmoStatus.NoMemory, $"the VMO has {record.Children.Count} children; with {call.Count} more they would be above {Limits.ChildrenPerVmoMax}");
        if (call.Seed.IsNone || call.First.IsNone)
            return new(VmoStatus.InvalidArgs, "a clone call has a seed and comes through the handle registry");
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < call.Count; i++)
        {
            var spec = call.Specs[call.Specs.Length == 1 ? 0 : i];
            var outcome = Decide(spec, i, out var birth);
            if (outcome.IsOk && call.Specs.Length > 1 && spec.Name is { Length: > 0 } && !names.Add(spec.Name))
                outcome = new(VmoStatus.AlreadyExists, $"the name '{birth!.Name}' is given twice in one call");
            if (!outcome.IsOk)
                return call.Count == 1 ? outcome : new(outcome.Status, $"child {i}: {outcome.Message}", outcome.RetryAfterMs);
            _births.Add(birth!);
            _windows += birth!.Bases.Count;
        }

        return _windows <= Limits.CloneWindowsMax
            ? Outcome.Ok
            : new(VmoStatus.NoMemory, $"the {call.Count} children would look through {_windows} windows on frozen layers; at most {Limits.CloneWindowsMax} in one call");
    }

    private bool MustFreeze => layer.MustFreeze && !record.Meta.IsAlias;

    private Outcome Decide(CloneSpec spec, int index, out Birth? birth)
    {
        birth = null;
        var kind = spec.Kind;
        var isFixed = spec.NonResizable || spec.NoWrite;
        if (spec.SeedOptions is { } options)
        {
            if ((options & 1) == 0)
                return new(VmoStatus.InvalidArgs, $"options {options:x} lack COPY_ON_WRITE (1)");
            if ((options & ~3u) != 0)
                return new(VmoStatus.InvalidArgs, $"options {options:x} have bits that mean nothing; known are 1 (COPY_ON_WRITE) and 2 (NON_RESIZEABLE)");
            (kind, isFixed) = (VmoKind.Live, (options & 2) != 0);
        }

        var outcome = CheckWindow(spec, kind, out var size);
        if (outcome.IsOk)
            outcome = CheckHandleRange(spec, kind, size, isFixed);
        if (outcome.IsOk)
            outcome = CheckKind(kind);
        var rights = RightsOf(kind, spec.NoWrite);
        if (outcome.IsOk && spec.Rights is { } asked && !HandleRights.TryNarrow(rights, asked, out rights))
            outcome = new(VmoStatus.InvalidArgs, $"asked for {HandleRights.Describe(asked)}; a {kind} made through this handle has {HandleRights.Describe(RightsOf(kind, spec.NoWrite))}");
        var zero = Array.Empty<PageRange>();
        if (outcome.IsOk)
            outcome = CheckZero(spec, kind, size, out zero);
        var name = "";
        if (outcome.IsOk)
            outcome = NameOf(spec, index, out name);
        if (!outcome.IsOk)
            return outcome;
        var meta = new VmoMeta(
            new(call.First.Value + (ulong)index), kind, record.Meta.Koid, spec.Offset, isFixed || kind == VmoKind.Slice ? VmoOptions.NonResizable : record.Meta.Options & (kind == VmoKind.Reference ? VmoOptions.NonResizable : 0),
            record.Meta.Tenant, now.UnixMs, record.Meta.RootOffset + spec.Offset, SourceOf(kind, spec.Offset, size), record.Meta.Generation + 1, record.Meta.Generation);
        var entry = new HandleEntry(1, call.Seed.Child(index).Hash(), rights, 0, 0, null, call.Confirmed ? 0 : now.UnixMs + Limits.ConfirmWithinMs, IsClosed: false);
        birth = new(meta, size, kind == VmoKind.Reference ? layer.ContentSize : spec.Size, name, entry, kind == VmoKind.Snapshot ? Bases(spec.Offset, size) : [], zero);
        return Outcome.Ok;
    }

    private Outcome CheckWindow(CloneSpec spec, VmoKind kind, out ulong size)
    {
        size = 0;
        if (kind == VmoKind.Reference)
        {
            size = layer.Size;
            return spec.Offset != 0 || spec.Size != 0
                ? new(VmoStatus.InvalidArgs, $"a reference is the whole: offset and size are 0, not {spec.Offset} and {spec.Size}")
                : Outcome.Ok;
        }

        if (kind is not (VmoKind.Live or VmoKind.Snapshot or VmoKind.Slice))
            return new(VmoStatus.InvalidArgs, $"there is no kind of child {(int)kind}");
        var outcome = Sizes.TryRound(spec.Size, out size);
        if (!outcome.IsOk)
            return outcome;
        if (spec.Offset % Limits.PageBytes != 0)
            return new(VmoStatus.InvalidArgs, $"offset {spec.Offset} is not a multiple of {Limits.PageBytes}");
        if (spec.Offset + size < spec.Offset)
            return kind == VmoKind.Slice ? Outside(spec, size) : new(VmoStatus.OutOfRange, $"offset {spec.Offset} and size {size} pass 2^64");
        if (kind == VmoKind.Slice && spec.Offset + size > layer.Size)
            return Outside(spec, size);
        var start = record.Meta.RootOffset + spec.Offset;
        return start < spec.Offset || start + size < start
            ? new(VmoStatus.InvalidArgs, $"the offsets up to the root add up to {record.Meta.RootOffset}; with {spec.Offset} and {size} bytes that passes 2^64")
            : Outcome.Ok;
    }

    private Outcome Outside(CloneSpec spec, ulong size) =>
        new(VmoStatus.InvalidArgs, $"a slice of {size} bytes at {spec.Offset} is not wholly inside the VMO's {layer.Size} bytes");

    private Outcome CheckKind(VmoKind kind)
    {
        if (kind == VmoKind.Slice && (record.Meta.IsAlias ? record.Meta.Source!.IsResizable : record.Meta.IsResizable))
            return new(VmoStatus.NotSupported, "a slice of a resizable VMO is not possible: make the VMO fixed");
        if (record.Meta.Kind == VmoKind.Slice && kind is VmoKind.Reference or VmoKind.Snapshot)
            return new(VmoStatus.NotSupported, $"a {kind} of a slice is not possible");
        return Outcome.Ok;
    }

    // Found here once: whoever shows pages of a VMO far above asks that VMO at once, however many slices and references lie between.
    private PageSource? SourceOf(VmoKind kind, ulong offset, ulong size)
    {
        var parent = record.Meta;
        if (kind == VmoKind.Snapshot || (kind == VmoKind.Live && !parent.IsAlias))
            return null;
        var above = parent.IsAlias ? parent.Source! : new(parent.Koid, 0, PageSource.Endless, parent.IsResizable);
        var start = above.Offset + offset;
        return above with { Offset = start, End = kind == VmoKind.Slice ? start + size : above.End };
    }

    // A handle for a part speaks for that part only. A live clone that may grow would look beyond it.
    private Outcome CheckHandleRange(CloneSpec spec, VmoKind kind, ulong size, bool isFixed)
    {
        if (handle.Range is not { } allowed)
            return Outcome.Ok;
        if (kind == VmoKind.Reference || (kind == VmoKind.Live && !isFixed))
            return new(VmoStatus.AccessDenied, $"through a handle for {allowed.Length} bytes at {allowed.Offset} only a snapshot, a slice or a fixed live clone can be made");
        return allowed.Contains(new(spec.Offset, size))
            ? Outcome.Ok
            : new(VmoStatus.OutOfRange, $"{size} bytes at {spec.Offset} are outside the handle's {allowed.Length} bytes at {allowed.Offset}");
    }

    private VmoRights RightsOf(VmoKind kind, bool noWrite)
    {
        var rights = handle.Rights;
        if (kind is VmoKind.Live or VmoKind.Snapshot)
            rights |= VmoRights.Write;
        return noWrite ? rights & ~VmoRights.Write : rights;
    }

    private static Outcome CheckZero(CloneSpec spec, VmoKind kind, ulong size, out PageRange[] zero)
    {
        zero = [];
        if (spec.Zero is not { Length: > 0 } ranges)
            return Outcome.Ok;
        if (kind is VmoKind.Slice or VmoKind.Reference)
            return new(VmoStatus.InvalidArgs, $"a {kind} shows its parent's pages: there is nothing that it could not show");
        if (ranges.Length > Limits.CloneZeroRangesMax)
            return new(VmoStatus.OutOfRange, $"{ranges.Length} ranges not to be shown; at most {Limits.CloneZeroRangesMax}");
        foreach (var range in ranges)
        {
            if (range.Wraps || range.End > size)
                return new(VmoStatus.OutOfRange, $"{range.Length} bytes at {range.Offset}, not to be shown, are outside the child's {size} bytes");
        }

        // Widened to whole pages: what must not be shown is not shown.
        var pages = ranges.Where(range => range.Length > 0).Select(PageRange.Covering).OrderBy(range => range.First).ToList();
        var merged = new List<PageRange>();
        foreach (var range in pages)
        {
            if (merged.Count > 0 && merged[^1] is var last && range.First <= last.End)
                merged[^1] = new(last.First, Math.Max(last.End.Value, range.End.Value) - last.First.Value);
            else
                merged.Add(range);
        }

        zero = [.. merged];
        return Outcome.Ok;
    }

    private Outcome NameOf(CloneSpec spec, int index, out string name)
    {
        name = "";
        if (spec.Name is null)
        {
            // E18: the name is copied once, if the handle may read it.
            name = (handle.Rights & VmoRights.GetProperty) != 0 ? record.Name : "";
            return Outcome.Ok;
        }

        return Text.TryName(call.Count > 1 && call.Specs.Length == 1 ? $"{spec.Name}-{index}" : spec.Name, out name);
    }

    // What shows in the VMO now, from the VMO itself up: each window ends where any level on the way to it does.
    private List<BaseRef> Bases(ulong offset, ulong size)
    {
        var (first, limit) = (offset / Limits.PageBytes, (offset + size) / Limits.PageBytes);
        var bases = new List<BaseRef>();
        if (!record.Meta.IsAlias)
        {
            limit = Math.Min(layer.Size / Limits.PageBytes, limit);
            if (MustFreeze)
                Add(bases, layer.Id, first, limit);
            else if (layer.Below.Under != 0)
                Add(bases, new(layer.Id.Home, layer.Below.Under), first, Math.Min(limit, layer.Low));
        }

        var (parentOffset, parentEnd) = (record.Meta.ShownOffset / Limits.PageBytes, record.Meta.ShownEndPage);
        foreach (var level in moment?.Levels ?? [])
        {
            (first, limit) = (first + parentOffset, Math.Min(Math.Min(limit + parentOffset, parentEnd), level.Size));
            if (level.Layer != 0)
                Add(bases, new(level.Vmo, level.Layer), first, Math.Min(limit, level.Limit));
            (parentOffset, parentEnd) = (level.ParentOffset, level.ParentEnd);
        }

        return bases;
    }

    private static void Add(List<BaseRef> bases, LayerId layer, ulong first, ulong limit)
    {
        if (first < limit)
            bases.Add(new(layer, first, limit));
    }
}
