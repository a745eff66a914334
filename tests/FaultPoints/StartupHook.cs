using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using VmoCluster.Core.Store;
using VmoCluster.FaultPoints;

/// <summary>
/// What DOTNET_STARTUP_HOOKS runs before a silo's Main: the server is the one that is shipped, and knows nothing of it. When its host is about to be built,
/// the store and the calls between grains are put behind the places at which it may die.
/// </summary>
internal static class StartupHook
{
    public static void Initialize()
    {
        FaultPoint.Read();
        DiagnosticListener.AllListeners.Subscribe(new Watching<DiagnosticListener>(listener =>
        {
            if (listener.Name == "Microsoft.Extensions.Hosting")
                listener.Subscribe(new Watching<KeyValuePair<string, object?>>(Building));
        }));
    }

    private static void Building(KeyValuePair<string, object?> told)
    {
        if (told is { Key: "HostBuilding", Value: IHostBuilder host })
            host.ConfigureServices(services => Add(services));
    }

    private static void Add(IServiceCollection services)
    {
        var pages = (IPageStore)Instance(services, typeof(IPageStore));
        var sessions = (ISessionStore)Instance(services, typeof(ISessionStore));
        services.AddSingleton<IPageStore>(new FaultyPages(pages)).AddSingleton<ISessionStore>(new FaultySessions(sessions));
        services.AddSingleton<IOutgoingGrainCallFilter, FaultyCalls>().AddHostedService<Arming>();
    }

    private static object Instance(IServiceCollection services, Type type) =>
        services.Last(service => service.ServiceType == type).ImplementationInstance ?? throw new InvalidOperationException($"the host has no {type.Name} to stand before");

    private sealed class Watching<T>(Action<T> next) : IObserver<T>
    {
        public void OnNext(T value) => next(value);

        public void OnError(Exception error)
        {
        }

        public void OnCompleted()
        {
        }
    }

    private sealed class Arming(IHostApplicationLifetime lifetime) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            lifetime.ApplicationStarted.Register(FaultPoint.Arm);
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
