using VmoCluster.Core.Live;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Placement;
using VmoCluster.Core.Store;
using VmoCluster.Grains.Serving;

namespace VmoCluster.Grains;

/// <summary>Adds what the grains of a silo share.</summary>
public static class VmoGrainRegistration
{
    /// <summary>
    /// Adds the grains' services. The store, the sessions, the silo's session, its ownership table, which silos serve and a logger factory are the host's to add.
    /// </summary>
    public static IServiceCollection AddVmoGrains(this IServiceCollection services, VmoGrainOptions options)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(new PageCache(options.PageCacheBytes));
        services.AddSingleton(new MapBudget(options.MapBytes));
        services.AddSingleton<FrozenMaps>();
        services.AddSingleton(new HeldGrants(options.GrantBytes));
        services.AddSingleton<LiveViews>();
        services.AddSingleton<GrantHolders>();
        services.AddSingleton<Kin>();
        services.AddSingleton<KoidSource>();
        services.AddSingleton<IStoreHoldings, StoreHoldings>();
        services.AddSingleton(provider => new CallBudget(options.CallsMax, options.CallBytesMax, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(new StoreRooms(new(options.StoreCallsMax, options.StoreBytesMax), new(options.StoreCallsMax, options.StoreBytesMax)));
        services.AddSingleton<Moves>();
        services.AddSingleton<GrainTelemetry>();
        services.AddSingleton<VmoGrainServices>();
        services.AddPlacementFilter<OnServingSilosStrategy, OnServingSilosDirector>(ServiceLifetime.Singleton);
        return services;
    }
}
