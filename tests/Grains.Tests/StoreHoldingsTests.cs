using System.Reflection;
using VmoCluster.Core.Store;

namespace VmoCluster.Grains.Tests;

/// <summary>What a silo shares among its VMOs of a store that has lost its latest past: none of it is used again.</summary>
public class StoreHoldingsTests
{
    private static readonly LayerId Layer = new(new(7), 1);

    [Fact]
    public async Task A_map_that_was_forgotten_is_asked_for_again()
    {
        var store = AskedStore.Create(out var asked);
        var maps = new FrozenMaps(store, new(1 << 20), new(new(8, 0), new(2, 0)));
        await maps.LoadAsync(Layer, 0);
        await maps.LoadAsync(Layer, 0);
        Assert.Equal(1, asked.Layers);
        Assert.True(maps.TryGet(Layer, 0, out _));

        maps.ForgetAll();
        Assert.False(maps.TryGet(Layer, 0, out _));
        await maps.LoadAsync(Layer, 0);
        Assert.Equal(2, asked.Layers);
    }

    [Fact]
    public async Task A_map_that_was_on_its_way_meanwhile_is_not_kept()
    {
        var store = AskedStore.Create(out var asked);
        var maps = new FrozenMaps(store, new(1 << 20), new(new(8, 0), new(2, 0)));
        asked.Hold = new TaskCompletionSource();
        var before = maps.LoadAsync(Layer, 0);
        maps.ForgetAll();
        var after = maps.LoadAsync(Layer, 0);
        asked.Hold.SetResult();
        await Task.WhenAll(before, after);
        Assert.Equal(2, asked.Layers);
        Assert.Same(await after, maps.TryGet(Layer, 0, out var kept) ? kept : null);
    }

    [Fact]
    public async Task No_more_maps_are_asked_for_at_once_than_there_is_room_for_reads()
    {
        var store = AskedStore.Create(out var asked);
        var maps = new FrozenMaps(store, new(1 << 20), new(new(8, 0), new(2, 0)));
        asked.Hold = new TaskCompletionSource();
        var loads = Task.WhenAll(Enumerable.Range(0, 10).Select(extent => maps.LoadAsync(Layer, (ulong)extent)));
        Assert.True(SpinWait.SpinUntil(() => asked.Layers == 2, TimeSpan.FromSeconds(10)));
        Assert.False(loads.IsCompleted);
        asked.Hold.SetResult();
        await loads;
        Assert.Equal((10, 2), (asked.Layers, asked.MostAtOnce));
    }

    [Fact]
    public async Task The_rest_of_a_block_of_koids_is_given_up()
    {
        var store = AskedStore.Create(out _);
        using var koids = new KoidSource(store);
        Assert.Equal((new Koid(1), new Koid(2)), (await koids.TakeAsync(default), await koids.TakeAsync(default)));
        koids.Forget();
        Assert.Equal(new Koid(1 + Limits.KoidBlock), await koids.TakeAsync(default));
    }

    // The old block was taken for the new one, and its koids were another silo's by then: two VMOs were one.
    [Fact]
    public async Task The_rest_of_a_block_is_given_up_also_when_the_store_does_not_answer_for_the_next()
    {
        var store = AskedStore.Create(out var asked);
        using var koids = new KoidSource(store);
        Assert.Equal(new Koid(1), await koids.TakeAsync(default));
        koids.Forget();
        asked.Fails = true;
        for (var i = 0; i < 2; i++)
            await Assert.ThrowsAsync<StoreException>(async () => await koids.TakeAsync(default));
        asked.Fails = false;
        Assert.Equal(new Koid(1 + Limits.KoidBlock), await koids.TakeAsync(default));
    }

    [Fact]
    public async Task A_block_that_was_on_its_way_when_it_was_forgotten_is_not_used()
    {
        var store = AskedStore.Create(out var asked);
        using var koids = new KoidSource(store);
        asked.Hold = new TaskCompletionSource();
        var taking = koids.TakeAsync(default);
        koids.Forget();
        asked.Hold.SetResult();
        Assert.Equal(new Koid(1 + Limits.KoidBlock), await taking);
    }

    /// <summary>A store that has every layer, empty, and koids; it counts how often it is asked for layers.</summary>
    public class AskedStore : DispatchProxy
    {
        private readonly Lock _lock = new();
        private int _layers;
        private int _now;
        private int _most;
        private ulong _next = 1;

        public int Layers => _layers;

        /// <summary>The most layers asked for at once.</summary>
        public int MostAtOnce => _most;

        /// <summary>What answers wait for.</summary>
        public TaskCompletionSource? Hold { get; set; }

        /// <summary>Whether it gives out no koids.</summary>
        public bool Fails { get; set; }

        internal static IPageStore Create(out AskedStore asked)
        {
            var store = Create<IPageStore, AskedStore>();
            asked = (AskedStore)(object)store;
            return store;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => targetMethod?.Name switch
        {
            nameof(IPageStore.LoadLayerAsync) => new ValueTask<StoredHash?>(LayerAsync()),
            nameof(IPageStore.AllocateKoidsAsync) => new ValueTask<Koid>(AllocateAsync((int)args![0]!)),
            _ => throw new NotSupportedException(targetMethod?.Name),
        };

        private async Task<StoredHash?> LayerAsync()
        {
            lock (_lock)
            {
                _layers++;
                _most = Math.Max(_most, ++_now);
            }

            if (Hold is not null)
                await Hold.Task;
            lock (_lock)
                _now--;
            return new StoredHash(default, 1, []);
        }

        private async Task<Koid> AllocateAsync(int count)
        {
            if (Fails)
                throw new StoreException(VmoStatus.Io, "The store did not answer.");
            var first = new Koid(_next);
            _next += (ulong)count;
            if (Hold is not null)
                await Hold.Task;
            return first;
        }
    }
}
