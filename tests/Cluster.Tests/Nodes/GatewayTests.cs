using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using StackExchange.Redis;
using VmoCluster.Harness;
using VmoCluster.OrleansClient;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

[Collection(NodeCollection.Name)]
public sealed class GatewayTests
{
    [Fact]
    public async Task P8_An_Orleans_client_outside_reaches_VMOs_by_their_handles_and_nothing_else()
    {
        await using var cluster = await SiloCluster.StartAsync(1, new() { HasGateway = true });
        await using (var client = await OrleansVmoClient.ConnectAsync(new() { Redis = cluster.Redis.Configuration }))
        {
            var vmo = await client.CreateAsync(4096);
            await vmo.WriteAsync(0, new byte[] { 1, 2, 3 });
            var found = new byte[3];
            await vmo.ReadAsync(0, found);
            Assert.Equal([1, 2, 3], found);
        }

        using var host = await ConnectAsync(cluster);
        var grains = host.Services.GetRequiredService<IGrainFactory>();
        await Assert.ThrowsAsync<UnauthorizedAccessException>(() => grains.GetGrain<IManagementGrain>(0).GetHosts());
        await Assert.ThrowsAsync<UnauthorizedAccessException>(() => grains.GetGrain<IManagementGrain>(0).ForceGarbageCollection([]));
        var metrics = (await Nodes.GetAsync(cluster.Silos[0], "/metrics")).Text;
        Assert.Contains("vmo_gateway_refused", metrics, StringComparison.Ordinal);
        await host.StopAsync();
    }

    [Fact]
    public async Task Without_being_asked_a_node_has_no_gateway()
    {
        await using var cluster = await SiloCluster.StartAsync(1);
        var refusal = await Assert.ThrowsAsync<VmoException>(
            () => OrleansVmoClient.ConnectAsync(new() { Redis = cluster.Redis.Configuration, ConnectWithin = TimeSpan.FromSeconds(1) }));
        Assert.Equal(VmoStatus.Io, refusal.Status);
    }

    private static async Task<IHost> ConnectAsync(SiloCluster cluster)
    {
        var id = (await cluster.Redis.CommandAsync("HGET", ClusterNames.StoreKey("vmo:"), "id")).Split("\r\n")[1];
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.UseOrleansClient(client =>
        {
            client.UseRedisClustering(redis =>
            {
                redis.ConfigurationOptions = ConfigurationOptions.Parse(cluster.Redis.Configuration);
                redis.CreateRedisKey = names => ClusterNames.MembershipKey("vmo:", names.ClusterId);
            });
            client.Configure<ClusterOptions>(names => (names.ClusterId, names.ServiceId) = (ClusterNames.ClusterId(id), ClusterNames.ServiceId));
        });
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }
}
