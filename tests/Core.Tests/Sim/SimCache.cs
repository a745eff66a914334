using VmoCluster.Core.Contents;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>A small cache that forgets its oldest page.</summary>
public sealed class SimCache(int capacity) : IPageCache
{
    private readonly Dictionary<PageKey, byte[]> _pages = [];
    private readonly Queue<PageKey> _order = [];

    public bool TryGet(in PageKey key, out byte[] page)
    {
        var found = _pages.TryGetValue(key, out var held);
        page = held ?? [];
        return found;
    }

    public void Add(in PageKey key, byte[] page)
    {
        if (capacity == 0 || !_pages.TryAdd(key, page))
            return;
        _order.Enqueue(key);
        while (_pages.Count > capacity)
            _pages.Remove(_order.Dequeue());
    }

    public void Remove(in PageKey key) => _pages.Remove(key);
}

/// <summary>A budget that can be said to be over.</summary>
public sealed class SimBudget : IMapBudget
{
    public bool IsOver { get; set; }
    public long Held { get; private set; }

    public void Add(long taken) => Held += taken;
}
