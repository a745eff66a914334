using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using VmoCluster.Client;
using VmoCluster.Harness;
using VmoCluster.OrleansClient;
using Xunit;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>One node on its embedded store, with a client by each door: the cases share it, and leave each other's VMOs alone.</summary>
public sealed class ConformanceNode : IAsyncLifetime
{
    private const string ClusterId = "conformance";
    private readonly Dictionary<Door, VmoClient> _clients = [];
    private SiloProcess? _silo;
    private IHost? _orleans;

    public VmoClient Client(Door door) => _clients[door];

    public async Task InitializeAsync()
    {
        var gateway = FreePort();
        _silo = await SiloProcess.StartAsync(new()
        {
            Arguments = ["--cluster-id", ClusterId, "--gateway-port", gateway.ToString(CultureInfo.InvariantCulture)],
        });
        _clients[Door.Grpc] = Nodes.Nodes.Connect(_silo.Endpoint);

        // A node on the embedded store has no membership table to find it by: its gateway is named.
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.UseOrleansClient(client =>
        {
            client.UseStaticClustering(new IPEndPoint(IPAddress.Loopback, gateway));
            client.Configure<ClusterOptions>(names => (names.ClusterId, names.ServiceId) = (ClusterId, ClusterNames.ServiceId));
        });
        _orleans = builder.Build();
        await _orleans.StartAsync();
        _clients[Door.Orleans] = new(
            new OrleansTransport(_orleans.Services.GetRequiredService<IGrainFactory>()), new() { Deadline = TimeSpan.FromSeconds(30) });
    }

    public async Task DisposeAsync()
    {
        foreach (var client in _clients.Values)
            await client.DisposeAsync();
        if (_orleans is not null)
        {
            await _orleans.StopAsync();
            _orleans.Dispose();
        }

        if (_silo is not null)
            await _silo.DisposeAsync();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ConformanceCollection : ICollectionFixture<ConformanceNode>
{
    public const string Name = "conformance";
}
