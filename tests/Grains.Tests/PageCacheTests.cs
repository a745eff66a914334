using VmoCluster.Core.Contents;

namespace VmoCluster.Grains.Tests;

/// <summary>P11: the silo's pages in memory are bounded, and the cache gives back what was put in.</summary>
public class PageCacheTests
{
    private const int Bytes = 16 << 20;

    [Fact]
    public void It_never_holds_more_than_its_bytes_and_what_it_holds_is_right()
    {
        var cache = new PageCache(Bytes);
        for (var i = 0u; i < 20_000; i++)
            cache.Add(Key(i), BitConverter.GetBytes(i));
        Assert.InRange(cache.Bytes, Bytes / 2, Bytes);
        var found = 0;
        for (var i = 0u; i < 20_000; i++)
        {
            if (!cache.TryGet(Key(i), out var page))
                continue;
            found++;
            Assert.Equal(i, BitConverter.ToUInt32(page));
        }

        Assert.Equal(cache.Bytes / Limits.PageBytes, found);
        Assert.Equal(found, cache.Hits);
        Assert.Equal(20_000 - found, cache.Misses);
    }

    [Fact]
    public void Cleared_it_holds_nothing_and_takes_as_much_as_before()
    {
        var cache = new PageCache(Bytes);
        for (var round = 0; round < 2; round++)
        {
            for (var i = 0u; i < 20_000; i++)
                cache.Add(Key(i), [1]);
            Assert.InRange(cache.Bytes, Bytes / 2, Bytes);
            cache.Clear();
            Assert.Equal(0, cache.Bytes);
            Assert.False(cache.TryGet(Key(19_999), out _));
        }
    }

    [Fact]
    public void A_page_in_use_outlives_those_that_are_not()
    {
        var cache = new PageCache(Bytes);
        cache.Add(Key(0), [1]);
        for (var i = 1u; i < 20_000; i++)
        {
            cache.Add(Key(i), [2]);
            Assert.True(cache.TryGet(Key(0), out _), $"the page in use was dropped after {i} others");
        }
    }

    [Fact]
    public void A_removed_page_is_gone_and_its_place_is_used_again()
    {
        var cache = new PageCache(Bytes);
        for (var round = 0u; round < 3; round++)
        {
            for (var i = 0u; i < 1000; i++)
                cache.Add(Key(i), [(byte)round]);
            for (var i = 0u; i < 1000; i++)
                cache.Remove(Key(i));
            Assert.False(cache.TryGet(Key(5), out _));
            Assert.Equal(0, cache.Bytes);
        }
    }

    [Fact]
    public void Many_threads_may_use_it_at_once()
    {
        var cache = new PageCache(1 << 20);
        Parallel.For(0, 8, worker =>
        {
            var random = new Random(worker);
            for (var i = 0; i < 20_000; i++)
            {
                var number = (uint)random.Next(2000);
                switch (random.Next(3))
                {
                    case 0:
                        cache.Add(Key(number), BitConverter.GetBytes(number));
                        break;
                    case 1:
                        cache.Remove(Key(number));
                        break;
                    default:
                        if (cache.TryGet(Key(number), out var page))
                            Assert.Equal(number, BitConverter.ToUInt32(page));
                        break;
                }
            }
        });
        Assert.InRange(cache.Bytes, 0, 1 << 20);
    }

    private static PageKey Key(uint number) => new(new(new(7), 1), new(3, number), (byte)(number % 63));
}
