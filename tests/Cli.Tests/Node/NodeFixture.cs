using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cli.Tests.Node;

/// <summary>One node with the embedded store, for the tests of a class. Classes with one are in the collection "nodes": one node at a time.</summary>
public sealed class NodeFixture : IAsyncLifetime
{
    public SiloProcess Silo { get; private set; } = null!;

    internal Vmo Vmo => new(Silo.Endpoint);

    public async Task InitializeAsync() => Silo = await SiloProcess.StartAsync();

    public async Task DisposeAsync() => await Silo.DisposeAsync();
}
