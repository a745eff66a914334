using System.Runtime.InteropServices;
using VmoCluster.Core.Contents;

namespace VmoCluster.Grains;

/// <summary>
/// The silo's pages in memory: bounded in bytes, evicted by the clock algorithm (a page used since the hand last passed stays), in shards so
/// that VMOs do not wait for each other.
/// </summary>
public sealed class PageCache : IPageCache
{
    private const int ShardCount = 16;

    private readonly Shard[] _shards = new Shard[ShardCount];

    /// <param name="bytes">Bytes of pages at the most.</param>
    public PageCache(long bytes)
    {
        var pages = (int)Math.Clamp(bytes / Limits.PageBytes / ShardCount, 16, int.MaxValue / 64);
        for (var i = 0; i < ShardCount; i++)
            _shards[i] = new(pages);
    }

    /// <summary>Bytes of pages held.</summary>
    public long Bytes => _shards.Sum(shard => (long)shard.Count) * Limits.PageBytes;

    /// <summary>Pages found since the start.</summary>
    public long Hits => _shards.Sum(shard => Volatile.Read(ref shard.Hits));

    /// <summary>Pages looked for and not found since the start.</summary>
    public long Misses => _shards.Sum(shard => Volatile.Read(ref shard.Misses));

    /// <inheritdoc/>
    public bool TryGet(in PageKey key, out byte[] page) => ShardOf(key).TryGet(key, out page);

    /// <inheritdoc/>
    public void Add(in PageKey key, byte[] page) => ShardOf(key).Add(key, page);

    /// <inheritdoc/>
    public void Remove(in PageKey key) => ShardOf(key).Remove(key);

    /// <summary>Lets all pages go.</summary>
    public void Clear()
    {
        foreach (var shard in _shards)
            shard.Clear();
    }

    private Shard ShardOf(in PageKey key) => _shards[key.GetHashCode() & (ShardCount - 1)];

    private sealed class Shard(int capacity)
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<PageKey, int> _places = [];
        private readonly List<Place> _clock = [];
        private readonly Stack<int> _free = [];
        private int _hand;

        public long Hits;
        public long Misses;

        public int Count => _places.Count;

        public bool TryGet(in PageKey key, out byte[] page)
        {
            lock (_lock)
            {
                if (!_places.TryGetValue(key, out var at))
                {
                    Misses++;
                    page = [];
                    return false;
                }

                Hits++;
                ref var place = ref CollectionsMarshal.AsSpan(_clock)[at];
                place.IsUsed = true;
                page = place.Page!;
                return true;
            }
        }

        public void Add(in PageKey key, byte[] page)
        {
            lock (_lock)
            {
                if (_places.ContainsKey(key))
                    return;
                var at = FindPlace();
                _clock[at] = new() { Key = key, Page = page };
                _places[key] = at;
            }
        }

        public void Remove(in PageKey key)
        {
            lock (_lock)
            {
                if (!_places.Remove(key, out var at))
                    return;
                _clock[at] = default;
                _free.Push(at);
            }
        }

        public void Clear()
        {
            lock (_lock)
            {
                _places.Clear();
                _clock.Clear();
                _free.Clear();
                _hand = 0;
            }
        }

        private int FindPlace()
        {
            if (_free.TryPop(out var free))
                return free;
            if (_clock.Count < capacity)
            {
                _clock.Add(default);
                return _clock.Count - 1;
            }

            var clock = CollectionsMarshal.AsSpan(_clock);
            for (; ; _hand = (_hand + 1) % capacity)
            {
                ref var place = ref clock[_hand];
                if (place.IsUsed)
                {
                    place.IsUsed = false;
                    continue;
                }

                _places.Remove(place.Key);
                var found = _hand;
                _hand = (_hand + 1) % capacity;
                return found;
            }
        }

        private struct Place
        {
            public PageKey Key;
            public byte[]? Page;
            public bool IsUsed;
        }
    }
}
