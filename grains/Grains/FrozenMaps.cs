using VmoCluster.Core.Family;
using VmoCluster.Core.Store;

namespace VmoCluster.Grains;

/// <summary>
/// What frozen layers show, in the memory of a silo: one copy for all VMOs that look through a layer, and one load for all that miss it at
/// once. Parents need not be active: their layers are read where they lie. Bounded by the map budget; over it, half of what was not asked
/// for of late goes.
/// </summary>
public sealed class FrozenMaps(IPageStore store, MapBudget budget) : IFrozenMaps
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(LayerId Layer, ulong Extent), Entry> _entries = [];
    private readonly Dictionary<(LayerId Layer, ulong Extent), Task<FrozenExtent>> _loading = [];
    private long _turn;

    /// <inheritdoc/>
    public bool TryGet(LayerId layer, ulong extent, out FrozenExtent shown)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue((layer, extent), out var entry))
            {
                shown = FrozenExtent.Empty;
                return false;
            }

            entry.Touched = ++_turn;
            shown = entry.Shown;
            return true;
        }
    }

    /// <inheritdoc/>
    public void Forget(LayerId layer, ulong extent)
    {
        lock (_lock)
        {
            // What shows through it may name the same blob.
            foreach (var (key, entry) in _entries.Where(pair => pair.Key.Extent == extent || pair.Key.Layer.Home == layer.Home).ToArray())
                Remove(key, entry);
        }
    }

    /// <summary>What a layer shows in an extent. Throws <see cref="StoreException"/>, and <see cref="InvalidDataException"/> when a layer is missing or damaged.</summary>
    public Task<FrozenExtent> LoadAsync(LayerId layer, ulong extent)
    {
        lock (_lock)
        {
            if (_entries.TryGetValue((layer, extent), out var entry))
                return Task.FromResult(entry.Shown);
            if (_loading.TryGetValue((layer, extent), out var loading))
                return loading;
            var load = Task.Run(() => LoadOnceAsync(layer, extent));
            _loading.Add((layer, extent), load);
            return load;
        }
    }

    private async Task<FrozenExtent> LoadOnceAsync(LayerId layer, ulong extent)
    {
        try
        {
            var walk = new FrozenWalk(layer, extent);
            while (walk.Needs.Count > 0)
                walk.Take(await Task.WhenAll(walk.Needs.Select(need => FindAsync(need.Layer, need.Extent))));
            var shown = walk.Compose();
            lock (_lock)
            {
                Put((layer, extent), shown);
                return shown;
            }
        }
        finally
        {
            lock (_lock)
                _loading.Remove((layer, extent));
        }
    }

    private async Task<(FrozenPart? Part, FrozenExtent? Known)> FindAsync(LayerId layer, ulong extent)
    {
        if (TryGet(layer, extent, out var known))
            return (null, known);
        var stored = await store.LoadLayerAsync(layer, FrozenPart.NamesOf(extent), CancellationToken.None)
            ?? throw new InvalidDataException($"layer {layer} is looked through and is not in the store");
        return (FrozenPart.Decode(layer, extent, stored), null);
    }

    private void Put((LayerId Layer, ulong Extent) key, FrozenExtent shown)
    {
        if (_entries.ContainsKey(key))
            return;
        _entries.Add(key, new(shown) { Touched = ++_turn });
        budget.Add(shown.MemoryBytes);
        if (!budget.IsOver || _entries.Count < 2)
            return;
        var touched = _entries.Values.Select(entry => entry.Touched).Order().ToArray();
        var bar = touched[touched.Length / 2];
        foreach (var (old, entry) in _entries.Where(pair => pair.Value.Touched < bar).ToArray())
            Remove(old, entry);
    }

    private void Remove((LayerId Layer, ulong Extent) key, Entry entry)
    {
        _entries.Remove(key);
        budget.Add(-entry.Shown.MemoryBytes);
    }

    private sealed class Entry(FrozenExtent shown)
    {
        public FrozenExtent Shown { get; } = shown;
        public long Touched { get; set; }
    }
}
