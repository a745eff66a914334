using VmoCluster.Core.Contents;
using VmoCluster.Core.Family;
using VmoCluster.Core.Live;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Machine;

/// <summary>
/// What a page of the VMO shows: its top layer first, then what lies under it. The extents of frozen layers that were looked at stay here
/// as long as memory allows, so that a warm page costs two look-ups at any depth.
/// </summary>
internal sealed class Sight(MachineState state)
{
    private readonly Dictionary<(LayerId Layer, ulong Extent), FrozenExtent> _held = [];
    private readonly Dictionary<ulong, LiveView> _views = [];
    private readonly HashSet<LiveView> _used = [];

    /// <summary>Rises with each forgetting: what was asked for before it may name what has gone.</summary>
    public long Forgotten { get; private set; }

    /// <summary>Whether anything lies under the top layer, or shows through from a live parent.</summary>
    public bool HasBelow => !state.Layer.Below.IsNothing || IsLive;

    /// <summary>Whether the VMO follows a live parent.</summary>
    public bool IsLive => state.Record.Meta.Kind == VmoKind.Live;

    /// <summary>The views of live parents looked at since the last <see cref="Begin"/>: what was seen was so as long as all of them are valid.</summary>
    public IReadOnlyCollection<LiveView> Used => _used;

    /// <summary>Whether all that was looked at was so in one moment: now.</summary>
    public bool IsStillSo
    {
        get
        {
            foreach (var view in _used)
            {
                if (!view.IsValid)
                    return false;
            }

            return true;
        }
    }

    /// <summary>Whether a frozen layer is looked at right under the top, the own stack's or an ancestor's.</summary>
    public bool LooksThrough(LayerId layer)
    {
        var below = state.Layer.Below;
        if (below.Under != 0 && layer == UnderId)
            return true;
        foreach (var item in below.Bases)
        {
            if (item.Layer == layer)
                return true;
        }

        return false;
    }

    /// <summary>Begins to note which views are looked at.</summary>
    public void Begin() => _used.Clear();

    /// <summary>What the top layer itself says of a page whose leaf is known; absent if neither slot nor run does.</summary>
    public Slot Own(ulong page)
    {
        var slot = state.Layer.Map.SlotOf(page);
        if (!slot.IsAbsent)
            return slot;
        var runs = state.Layer.Map.Runs;
        for (var i = 0; i < runs.Count; i++)
        {
            if (!runs[i].IsClearing && runs[i].Range.Contains(new(page)))
            {
                return runs[i].Kind switch
                {
                    RunKind.Committed => Slot.CommittedZero(runs[i].Version),
                    RunKind.Zero => Slot.Zero(runs[i].Version),
                    _ => Slot.Through(runs[i].Version),
                };
            }
        }

        return default;
    }

    /// <summary>What a page shows. False: something that decides it is not in memory.</summary>
    public bool TrySee(ulong page, out Shown shown)
    {
        var own = Own(page);
        shown = new(state.Layer.Id, own);
        return own.State switch
        {
            SlotState.Absent => TrySeeBelow(page, out shown),
            SlotState.Through => TrySeeBase(page, out shown),
            _ => true,
        };
    }

    /// <summary>What a page shows where the top layer says nothing.</summary>
    public bool TrySeeBelow(ulong page, out Shown shown)
    {
        var layer = state.Layer;
        if (layer.Below.Under == 0 || page >= layer.Low)
            return TrySeeBase(page, out shown);
        shown = default;
        if (!TryHeld(UnderId, page / Limits.ExtentPages, out var extent))
            return false;
        shown = extent[page];
        // A frozen layer shows all that lies under it, but for a live parent: that is never frozen with it.
        return !shown.IsNothing || !IsLive || TrySeeBase(page, out shown);
    }

    /// <summary>What the own frozen stack shows, everything frozen under it included; it is in memory, and the page lies below what the stack shows.</summary>
    public Shown SeeUnder(ulong page)
    {
        Invariant.Holds(TryHeld(UnderId, page / Limits.ExtentPages, out var extent), "a page is looked at before what lies under it is known");
        return extent[page];
    }

    /// <summary>What the VMO's own layers and the windows under them show; absent where a live parent would be asked.</summary>
    public Shown SeeOwnStack(ulong page)
    {
        var own = Own(page);
        if (own.State is SlotState.Data or SlotState.Zero)
            return new(state.Layer.Id, own);
        var shown = default(Shown);
        var layer = state.Layer;
        var isKnown = own.IsAbsent && layer.Below.Under != 0 && page < layer.Low
            ? TryHeld(UnderId, page / Limits.ExtentPages, out var extent) && (shown = extent[page]) is var _
            : IsLive || TrySeeWindow(page, out shown);
        Invariant.Holds(isKnown, "a page is told to others before what lies under it is known");
        return shown;
    }

    /// <summary>What a page shows under the VMO's own stack.</summary>
    public bool TrySeeBase(ulong page, out Shown shown) => IsLive ? TrySeeParent(page, out shown) : TrySeeWindow(page, out shown);

    private bool TrySeeParent(ulong page, out Shown shown)
    {
        shown = default;
        var there = page + ParentOffset;
        if (there >= state.Record.Meta.ShownEndPage)
            return true;
        if (!TryView(there / Limits.ExtentPages, out var view))
            return false;
        shown = view.Shown[there];
        return true;
    }

    private bool TrySeeWindow(ulong page, out Shown shown)
    {
        shown = default;
        var layer = state.Layer;
        if (page >= layer.Low)
            return true;
        foreach (var item in layer.Below.Bases)
        {
            if (!item.TryMap(page, out var there))
                continue;
            if (!TryHeld(item.Layer, there / Limits.ExtentPages, out var extent))
                return false;
            shown = extent[there];
            if (!shown.IsNothing)
                return true;
        }

        return true;
    }

    /// <summary>What a page shows; everything that decides it is in memory.</summary>
    public Shown See(ulong page)
    {
        Invariant.Holds(TrySee(page, out var shown), "a page is looked at before what lies under it is known");
        return shown;
    }

    /// <summary>The extents that decide some page of a range and are not in memory: of frozen layers, and of the live parent. The range's leaves are known.</summary>
    public void FindMissing(PageRange range, BelowNeed need, HashSet<(LayerId Layer, ulong Extent)> missing, HashSet<ulong> views)
    {
        if (!HasBelow)
            return;
        var layer = state.Layer;
        for (var page = range.First.Value; page < range.End.Value; page++)
        {
            var own = Own(page);
            if (need != BelowNeed.Change && own.State is SlotState.Data or SlotState.Zero)
                continue;
            if (IsLive && need == BelowNeed.Read && page + ParentOffset < state.Record.Meta.ShownEndPage && !TryView((page + ParentOffset) / Limits.ExtentPages, out _))
                views.Add((page + ParentOffset) / Limits.ExtentPages);
            if (page >= layer.Low)
                continue;
            var asksUnder = layer.Below.Under != 0 && (need == BelowNeed.Change || own.IsAbsent);
            if (asksUnder)
                Miss(UnderId, page);
            if (asksUnder && need != BelowNeed.Change)
                continue;
            foreach (var item in layer.Below.Bases)
            {
                if (item.TryMap(page, out var there))
                    Miss(item.Layer, there);
            }
        }

        void Miss(LayerId id, ulong page)
        {
            if (!TryHeld(id, page / Limits.ExtentPages, out _))
                missing.Add((id, page / Limits.ExtentPages));
        }
    }

    /// <summary>A view of the live parent has come.</summary>
    public void Hold(ulong extent, LiveView view) => _views[extent] = view;

    /// <summary>An extent has come.</summary>
    public void Hold(LayerId layer, ulong extent, FrozenExtent shown) => _held[(layer, extent)] = shown;

    /// <summary>A blob of a layer below has gone: it must be asked anew where the layer's pages are today.</summary>
    public void Forget(GoneBlob gone)
    {
        // The views last: whoever finds that these have forgotten it takes it that the maps have, too.
        if (!state.Memory.Live.HasForgotten(gone))
            state.Memory.Frozen.Forget(gone.Layer);
        state.Memory.Live.Forget(gone);
        ForgetOwn();
    }

    /// <summary>
    /// Others have found a blob gone. What the silo's VMOs share is looked through once for that, and not by each VMO that is told: that would be
    /// all of it for each of a thousand ancestors.
    /// </summary>
    public void ForgetTold(GoneBlob gone)
    {
        if (!state.Memory.Live.HasForgotten(gone))
            Forget(gone);
        else
            ForgetOwn();
    }

    private void ForgetOwn()
    {
        Forgotten++;
        _held.Clear();
        _views.Clear();
    }

    /// <summary>Gives references back while the silo is over its budget; nobody is gathering.</summary>
    public void Trim()
    {
        if (!state.Memory.Budget.IsOver)
            return;
        _held.Clear();
        _views.Clear();
    }

    private ulong ParentOffset => state.Record.Meta.ShownOffset / Limits.PageBytes;

    private bool TryView(ulong extent, out LiveView view)
    {
        if (!_views.TryGetValue(extent, out view!) || !view.IsValid)
        {
            _views.Remove(extent);
            if (!state.Memory.Live.TryGet(state.Record.Meta.ShownVmo, extent, state.Owner.Session, out view))
                return false;
            _views[extent] = view;
        }

        view.Touch();
        _used.Add(view);
        return true;
    }

    private LayerId UnderId => new(state.Layer.Id.Home, state.Layer.Below.Under);

    private bool TryHeld(LayerId layer, ulong extent, out FrozenExtent shown)
    {
        if (_held.TryGetValue((layer, extent), out shown!))
            return true;
        if (!state.Memory.Frozen.TryGet(layer, extent, out shown))
            return false;
        _held[(layer, extent)] = shown;
        return true;
    }
}
