using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using StackExchange.Redis;
using VmoCluster.Client;

namespace VmoCluster.OrleansClient;

/// <summary>A <see cref="VmoClient"/> over Orleans for a process that is no silo.</summary>
public static class OrleansVmoClient
{
    /// <summary>Connects to a cluster. Io where no gateway is found in time. Disposing of the client disconnects.</summary>
    public static async Task<VmoClient> ConnectAsync(
        OrleansClusterOptions cluster, VmoClientOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        var started = Stopwatch.StartNew();
        var clusterId = cluster.ClusterId ?? await FindClusterIdAsync(cluster).ConfigureAwait(false);
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.UseOrleansClient(client =>
        {
            client.UseRedisClustering(redis =>
            {
                redis.ConfigurationOptions = ConfigurationOptions.Parse(cluster.Redis);
                redis.CreateRedisKey = names => ClusterNames.MembershipKey(cluster.Prefix, names.ClusterId);
            });
            client.Configure<ClusterOptions>(names => (names.ClusterId, names.ServiceId) = (clusterId, ClusterNames.ServiceId));
            client.Configure<GatewayOptions>(gateways => gateways.GatewayListRefreshPeriod = TimeSpan.FromSeconds(5));

            // An external client is not told of a silo's death: this is how it finds out. Retries are the VmoClient's.
            client.Configure<ClientMessagingOptions>(messages => messages.ResponseTimeout = TimeSpan.FromSeconds(5));
            client.Configure<ConnectionOptions>(connections => connections.ConnectionsPerEndpoint = 4);
            client.AddActivityPropagation();
            client.UseConnectionRetryFilter(async (_, stop) =>
            {
                await Task.Delay(250, stop).ConfigureAwait(false);
                return started.Elapsed < cluster.ConnectWithin;
            });
        });
        var host = builder.Build();
        try
        {
            await host.StartAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            host.Dispose();
            throw new VmoException(VmoStatus.Io, $"no gateway of cluster '{clusterId}' answered within {cluster.ConnectWithin.TotalSeconds} s", inner: failure);
        }

        return new VmoClient(new OrleansTransport(host.Services.GetRequiredService<IGrainFactory>(), null, host), options ?? new());
    }

    private static async Task<string> FindClusterIdAsync(OrleansClusterOptions cluster)
    {
        try
        {
            var redis = await ConnectionMultiplexer.ConnectAsync(cluster.Redis).ConfigureAwait(false);
            await using (redis.ConfigureAwait(false))
            {
                var store = await redis.GetDatabase().HashGetAsync(ClusterNames.StoreKey(cluster.Prefix), "id").ConfigureAwait(false);
                return store.IsNullOrEmpty
                    ? throw new VmoException(VmoStatus.Io, $"no cluster has its store under the prefix '{cluster.Prefix}' of this Redis")
                    : ClusterNames.ClusterId((string)store!);
            }
        }
        catch (RedisException failure)
        {
            throw new VmoException(VmoStatus.Io, $"the Redis with the cluster's membership does not answer: {failure.Message}", inner: failure);
        }
    }
}
