using VmoCluster.Core.Contents;
using VmoCluster.Core.Family;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Machine;

/// <summary>
/// What a page of the VMO shows: its top layer first, then what lies under it. The extents of frozen layers that were looked at stay here
/// as long as memory allows, so that a warm page costs two look-ups at any depth.
/// </summary>
internal sealed class Sight(MachineState state)
{
    private readonly Dictionary<(LayerId Layer, ulong Extent), FrozenExtent> _held = [];

    /// <summary>Whether anything lies under the top layer.</summary>
    public bool HasBelow => !state.Layer.Below.IsNothing;

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
        return true;
    }

    /// <summary>What a page shows under the VMO's own stack.</summary>
    public bool TrySeeBase(ulong page, out Shown shown)
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

    /// <summary>The extents of frozen layers that decide some page of a range and are not in memory. The range's leaves are known.</summary>
    /// <param name="range">The pages.</param>
    /// <param name="isChange">Also where the top layer decides now: it may not once the change is done.</param>
    /// <param name="missing">Where they are put.</param>
    public void FindMissing(PageRange range, bool isChange, HashSet<(LayerId Layer, ulong Extent)> missing)
    {
        if (!HasBelow)
            return;
        var layer = state.Layer;
        for (var page = range.First.Value; page < range.End.Value && page < layer.Low; page++)
        {
            var own = Own(page);
            if (!isChange && own.State is SlotState.Data or SlotState.Zero)
                continue;
            if (layer.Below.Under != 0 && (isChange || own.IsAbsent))
                Miss(UnderId, page);
            if (!isChange && own.IsAbsent && layer.Below.Under != 0)
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

    /// <summary>An extent has come.</summary>
    public void Hold(LayerId layer, ulong extent, FrozenExtent shown) => _held[(layer, extent)] = shown;

    /// <summary>A blob that somebody below names has gone: it must be asked anew where its page is today.</summary>
    public void ForgetAll()
    {
        foreach (var (layer, extent) in _held.Keys)
            state.Memory.Frozen.Forget(layer, extent);
        _held.Clear();
    }

    /// <summary>Gives references back while the silo is over its budget; nobody is gathering.</summary>
    public void Trim()
    {
        if (_held.Count > 0 && state.Memory.Budget.IsOver)
            _held.Clear();
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
