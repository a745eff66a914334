using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>One node for all tests of a class, its client, and what they ask of it again and again.</summary>
public sealed class AliasNode : IAsyncLifetime
{
    public const int Page = Limits.PageBytes;

    private SiloProcess? _silo;

    public VmoClient Client { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        _silo = await SiloProcess.StartAsync();
        Client = Nodes.Connect(_silo.Endpoint);
    }

    public async Task DisposeAsync()
    {
        await Client.DisposeAsync();
        await _silo!.DisposeAsync();
    }

    /// <summary>A root of so many pages whose size never changes: what can be sliced.</summary>
    public Task<Vmo> FixedAsync(int pages) => Client.CreateAsync((ulong)pages * Page, new() { NonResizable = true });

    public static async Task<byte> ByteAsync(Vmo vmo, ulong offset)
    {
        var found = new byte[1];
        await vmo.ReadAsync(offset, found);
        return found[0];
    }

    public static Task<ulong> SetAsync(Vmo vmo, ulong offset, byte value) => vmo.WriteAsync(offset, new[] { value });

    public static async Task<VmoException> RefusedAsync(VmoStatus status, Func<Task> call)
    {
        var refused = await Assert.ThrowsAsync<VmoException>(call);
        Assert.Equal(status, refused.Status);
        return refused;
    }

    public static async Task<bool> HasNoChildrenAsync(Vmo vmo) => !(await vmo.WaitAsync(VmoSignals.ZeroChildren, TimeSpan.Zero)).IsTimedOut;

    public static async Task SoonHasNoChildrenAsync(Vmo vmo) =>
        Assert.False((await vmo.WaitAsync(VmoSignals.ZeroChildren, TimeSpan.FromSeconds(20))).IsTimedOut, "ZERO_CHILDREN is not set after the last child's close");
}
