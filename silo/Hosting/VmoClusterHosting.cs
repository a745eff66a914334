using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using VmoCluster.Core.Store;
using VmoCluster.Grains;
using VmoCluster.Grains.Serving;
using VmoCluster.Hosting.Health;
using VmoCluster.Hosting.Nodes;
using VmoCluster.Hosting.Ownership;
using VmoCluster.Hosting.Sessions;
using VmoCluster.Hosting.Settings;

namespace VmoCluster.Hosting;

/// <summary>Everything that makes a host a silo of a VMO cluster.</summary>
public static class VmoClusterHosting
{
    /// <summary>
    /// Adds a silo on an opened store. Hosted parts start in this order and stop in the other: the session, so that the silo has one before
    /// its first grain and closes it after its last; the silo; the watchers.
    /// </summary>
    /// <param name="builder">The host.</param>
    /// <param name="options">Read and checked by <see cref="SettingsReader"/>.</param>
    /// <param name="store">Opened; the caller closes it when the host has stopped.</param>
    public static void AddVmoCluster(this IHostApplicationBuilder builder, VmoNodeOptions options, NodeStore store)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(store);
        var services = builder.Services;
        services.AddSingleton(options).AddSingleton(store).AddSingleton(TimeProvider.System);
        services.AddSingleton(store.Redis.Pages).AddSingleton(store.Redis.Sessions);
        services.AddSingleton(NewSession).AddSingleton<ISiloSession>(provider => provider.GetRequiredService<SiloSession>());
        services.AddSingleton<SessionStates>();
        services.AddSingleton<SiloOwnership>()
            .AddSingleton<IOwnership>(provider => provider.GetRequiredService<SiloOwnership>())
            .AddSingleton<ILetterDuty, SiloDuty>();
        services.AddSingleton(provider => new SessionKeeperOptions(
            ServingSilos.Describe($"{options.SiloName} {Environment.MachineName} pid {Environment.ProcessId}", provider.GetRequiredService<ILocalSiloDetails>().SiloAddress), store.IsOurs));
        services.AddSingleton(provider => new ServingSilos(provider.GetRequiredService<SiloSession>(), provider.GetRequiredService<ILocalSiloDetails>().SiloAddress))
            .AddSingleton<IServingSilos>(provider => provider.GetRequiredService<ServingSilos>());
        services.AddSingleton<NodeHealth>();
        services.AddVmoGrains(new()
        {
            PageCacheBytes = options.PageCacheBytes,
            MapBytes = options.MapBytes,
            GrantBytes = options.GrantBytes,
            CallsMax = options.Calls,
            CallBytesMax = options.CallBytes,
            StoreCallsMax = options.StoreCalls,
            StoreBytesMax = options.StoreBytes,
        });
        services.AddSingleton<WakeVmo>(provider =>
        {
            var grains = provider.GetRequiredService<IGrainFactory>();
            return async (vmo, lineage, cancellation) => await grains.GetGrain<IVmoUpkeepGrain>(Placement.VmoKey(vmo)).WakeAsync(lineage).AsTask().WaitAsync(cancellation);
        });
        services.Configure<HostOptions>(host => host.ShutdownTimeout = SiloSettings.ShutdownTimeout);

        services.AddHostedService<SessionKeeper>();
        builder.UseOrleans(silo => SiloSettings.Apply(silo, options, store));
        services.AddHostedService<SessionWatch>();
        services.AddHostedService<EstateHeir>();
        services.AddHostedService<StoreMemoryKeeper>();
        services.AddHostedService<IdleMemory>();
        services.AddHostedService<IdleVmos>();
        services.AddHostedService<Farewell>();
        NodeTelemetry.Add(services, options);
    }

    private static SiloSession NewSession(IServiceProvider provider)
    {
        var session = new SiloSession(provider.GetRequiredService<TimeProvider>());
        HostingTelemetry.WatchLease(session);
        return session;
    }
}
