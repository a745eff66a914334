using VmoCluster.Client;

namespace VmoCluster.Benchmarks;

/// <summary>Pages nobody can compress, written in different orders.</summary>
internal static class Filling
{
    /// <summary>One page, the same for the same seed.</summary>
    public static byte[] Page(int seed)
    {
        var page = new byte[Limits.PageBytes];
        new Random(seed).NextBytes(page);
        return page;
    }

    public static async Task SequentialAsync(Vmo vmo, int pages)
    {
        var perCall = Limits.CallBytesMax / Limits.PageBytes;
        await Load.ForAsync(8, (pages + perCall - 1) / perCall, async call =>
        {
            var count = (int)Math.Min(perCall, pages - (call * perCall));
            var bytes = new byte[count * Limits.PageBytes];
            new Random((int)call).NextBytes(bytes);
            await vmo.WriteAsync((ulong)(call * perCall) * Limits.PageBytes, bytes);
        });
    }

    /// <summary>Each page once, one call a page, in no order, 256 callers.</summary>
    public static async Task RandomAsync(Vmo vmo, int pages)
    {
        var order = Enumerable.Range(0, pages).ToArray();
        new Random(3).Shuffle(order);
        await Load.ForAsync(256, pages, async i =>
        {
            var bytes = new byte[Limits.PageBytes];
            new Random((int)i).NextBytes(bytes);
            await vmo.WriteAsync((ulong)order[i] * Limits.PageBytes, bytes);
        });
    }

    /// <summary>Waits until neither the silo nor Redis does anything any more.</summary>
    public static async Task RestAsync(Machine machine)
    {
        var quiet = 0;
        var before = -1L;
        for (var tries = 0; quiet < 5 && tries < 300; tries++)
        {
            await Task.Delay(1000);
            var now = await machine.RedisBytesAsync();
            quiet = Math.Abs(now - before) < 1 << 20 ? quiet + 1 : 0;
            before = now;
        }
    }
}
