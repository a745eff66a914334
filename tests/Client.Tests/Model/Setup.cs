namespace VmoCluster.Client.Tests.Model;

/// <summary>A client over a model, with times short enough for a test.</summary>
internal sealed class Setup : IAsyncDisposable
{
    public Setup(VmoClientOptions? options = null)
    {
        Client = new(Cluster, options ?? new() { AttemptTimeout = TimeSpan.FromMilliseconds(200) });
    }

    public ModelCluster Cluster { get; } = new();
    public VmoClient Client { get; }

    public ValueTask DisposeAsync() => Client.DisposeAsync();

    /// <summary>Bytes that differ from page to page and from seed to seed.</summary>
    public static byte[] Noise(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Polls until the condition holds.</summary>
    public static async Task UntilAsync(Func<bool> holds, string what)
    {
        for (var deadline = DateTime.UtcNow.AddSeconds(20); !holds();)
        {
            Assert.True(DateTime.UtcNow < deadline, $"within 20 s it did not come to this: {what}");
            await Task.Delay(5);
        }
    }

    public static async Task<VmoException> RefusedAsync(VmoStatus status, Func<Task> call)
    {
        var refused = await Assert.ThrowsAsync<VmoException>(call);
        Assert.Equal(status, refused.Status);
        return refused;
    }
}
