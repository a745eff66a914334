using VmoCluster.Core.Family;
using VmoCluster.Core.Store;

namespace VmoCluster.Grains;

/// <summary>
/// What frozen layers show, in the memory of a silo: one copy for all VMOs that look through a layer, and one load for all that miss it at
/// once. Parents need not be active: their layers are read where they lie. Bounded by the map budget; over it, half of what was not asked
/// for of late goes.
/// </summary>
public sealed class FrozenMaps(IPageStore store, MapBudget budget, StoreRooms rooms) : IFrozenMaps
{
    /// <summary>Walks before a layer that is not there is taken for lost, and not for folded into another meanwhile.</summary>
    private const int WalksMax = 10;

    private readonly Lock _lock = new();
    private readonly Dictionary<(LayerId Layer, ulong Extent), Entry> _entries = [];
    private readonly Dictionary<(LayerId Layer, ulong Extent), Task<FrozenExtent>> _loading = [];
    private long _turn;

    // Rises with each Forget: what was being loaded before it may name what has gone.
    private long _forgotten;

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
    public void Forget(LayerId gone)
    {
        lock (_lock)
        {
            _forgotten++;
            _loading.Clear();
            foreach (var (key, entry) in _entries.Where(pair => pair.Value.Shown.Names(gone)).ToArray())
                Remove(key, entry);
        }
    }

    /// <summary>Nothing of it is known any more.</summary>
    public void ForgetAll()
    {
        lock (_lock)
        {
            _forgotten++;
            _loading.Clear();
            foreach (var (key, entry) in _entries.ToArray())
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
            var since = _forgotten;
            var load = Task.Run(() => LoadOnceAsync(layer, extent, since));
            _loading.Add((layer, extent), load);
            return load;
        }
    }

    private async Task<FrozenExtent> LoadOnceAsync(LayerId layer, ulong extent, long since)
    {
        try
        {
            for (var walks = 1; ; walks++)
            {
                if (await WalkAsync(layer, extent, isLast: walks == WalksMax) is not { } shown)
                    continue;
                lock (_lock)
                {
                    if (since == _forgotten)
                        Put((layer, extent), shown);
                }

                return shown;
            }
        }
        finally
        {
            lock (_lock)
            {
                if (since == _forgotten)
                    _loading.Remove((layer, extent));
            }
        }
    }

    // Null: a layer that was still looked through when the one over it was read is gone. What it said stands in that one now.
    private async Task<FrozenExtent?> WalkAsync(LayerId layer, ulong extent, bool isLast)
    {
        var fetch = new FrozenFetch(layer, extent, this);
        while (fetch.Next() is { Count: > 0 } round)
        {
            var needed = fetch.Needed;
            var found = await Task.WhenAll(round.Select((part, i) => LoadPartAsync(part.Layer, part.Extent, isHint: i >= needed)));
            if (fetch.TryTake(found, out var lost))
                continue;
            return isLast ? throw new InvalidDataException($"layer {lost} is looked through and is not in the store") : null;
        }

        return fetch.Compose();
    }

    private async Task<StoredHash?> LoadPartAsync(LayerId layer, ulong extent, bool isHint)
    {
        try
        {
            return await rooms.Reads.RunAsync(0, () => store.LoadLayerAsync(layer, FrozenPart.NamesOf(extent), CancellationToken.None));
        }
        catch (Exception exception) when (isHint && exception is StoreException or InvalidDataException)
        {
            // Nobody is known to need it. Who does, asks again and is told.
            return null;
        }
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
