using VmoCluster.Core.Contents;
using VmoCluster.Core.Family;
using VmoCluster.Core.Handles;
using VmoCluster.Core.Live;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>What a list shows of a VMO, out of its stored record and layer head. Null for one that is dying.</summary>
public static class VmoSummary
{
    public static VmoInfo? Of(StoredHash record, StoredHash layer)
    {
        var decoded = VmoRecord.Decode(record);
        if (decoded.State == VmoState.Dying)
            return null;
        var state = new MachineState(decoded, LayerHead.Decode(decoded.Top, layer, null, NoBudget.Value), default, new(NoCache.Value, NoBudget.Value, NoFrozen.Value, new HeldGrants(0)));
        var all = new HandleEntry(0, default, HandleRights.OfNewVmo, 0, 0, null, 0, IsClosed: false);
        return Queries.Describe(state, WaitDesk.SignalsOf(decoded), all) with { Rights = VmoRights.None };
    }

    /// <summary>The VMO whose size a reference has; None for all others, which have their own.</summary>
    public static Koid SizedBy(StoredHash record) => VmoRecord.Decode(record).Meta is { Kind: VmoKind.Reference } meta ? meta.ShownVmo : Koid.None;

    private sealed class NoBudget : IMapBudget
    {
        public static NoBudget Value { get; } = new();

        public bool IsOver => false;

        public void Add(long taken)
        {
        }
    }

    private sealed class NoFrozen : IFrozenMaps
    {
        public static NoFrozen Value { get; } = new();

        public bool TryGet(LayerId layer, ulong extent, out FrozenExtent shown)
        {
            shown = FrozenExtent.Empty;
            return false;
        }

        public void Forget(LayerId gone)
        {
        }
    }

    private sealed class NoCache : IPageCache
    {
        public static NoCache Value { get; } = new();

        public bool TryGet(in PageKey key, out byte[] page)
        {
            page = [];
            return false;
        }

        public void Add(in PageKey key, byte[] page)
        {
        }

        public void Remove(in PageKey key)
        {
        }
    }
}
