using VmoCluster.Core.Family;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>What frozen layers show, forgotten now and then.</summary>
public sealed class SimMaps(int capacity = 1000) : IFrozenMaps
{
    private readonly Dictionary<(LayerId, ulong), FrozenExtent> _shown = [];

    public bool TryGet(LayerId layer, ulong extent, out FrozenExtent shown) => _shown.TryGetValue((layer, extent), out shown!);

    public void Forget(LayerId gone)
    {
        foreach (var key in _shown.Where(pair => pair.Value.Names(gone)).Select(pair => pair.Key).ToArray())
            _shown.Remove(key);
    }

    public void Put(LayerId layer, ulong extent, FrozenExtent shown)
    {
        if (_shown.Count >= capacity)
            _shown.Clear();
        _shown[(layer, extent)] = shown;
    }

    public void Clear() => _shown.Clear();
}
