using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace VmoCluster.GrpcDoor;

/// <summary>How a silo opens its gRPC door.</summary>
public static class VmoDoorExtensions
{
    /// <summary>
    /// Adds the door: the services Vmos and Handles over the container's <see cref="Client.ITransport"/>, reflection, and gRPC health fed by
    /// the registered health checks. Register an <see cref="ICallerSource"/> before for another authentication than the operator's token.
    /// </summary>
    public static IServiceCollection AddVmoDoor(this IServiceCollection services, VmoDoorOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        services.AddSingleton(options);
        services.TryAddSingleton<ICallerSource, OperatorTokenCallers>();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<CallGate>();
        services.AddSingleton<DoorCalls>();
        services.AddSingleton<DoorClient>();
        services.AddSingleton<RangeStreams>();
        services.AddSingleton<SessionStream>();
        services.AddSingleton<VmosDoor>();
        services.AddSingleton<HandlesDoor>();
        services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = options.MessageBytesMax;
            grpc.EnableDetailedErrors = false;
        });
        services.AddGrpcReflection();
        services.AddGrpcHealthChecks(health =>
        {
            health.Services.Map(V1.Vmos.Descriptor.FullName, static _ => true);
            health.Services.Map(V1.Handles.Descriptor.FullName, static _ => true);
        }).AddCheck<DoorCheck>(DoorCheck.Name);
        services.Configure<KestrelServerOptions>(kestrel =>
        {
            // A few above our own limit, so that the refusal is ours and says when to come back.
            kestrel.Limits.Http2.MaxStreamsPerConnection = options.CallsPerConnectionMax + 64;
            kestrel.Limits.MaxConcurrentConnections = options.ConnectionsMax;
            kestrel.Limits.Http2.InitialStreamWindowSize = 2 * Limits.CallBytesMax;
            kestrel.Limits.Http2.InitialConnectionWindowSize = 8 * Limits.CallBytesMax;
            kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(10);
            kestrel.Limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(5);
        });
        return services;
    }

    /// <summary>Maps the door's endpoints.</summary>
    public static IEndpointRouteBuilder MapVmoDoor(this IEndpointRouteBuilder endpoints)
    {
        var gate = endpoints.ServiceProvider.GetRequiredService<CallGate>();
        foreach (var methods in new IEndpointConventionBuilder[] { endpoints.MapGrpcService<VmosDoor>(), endpoints.MapGrpcService<HandlesDoor>() })
        {
            UnreadableRequests.Refuse(methods);
            gate.Guard(methods);
        }

        endpoints.MapGrpcReflectionService();
        endpoints.MapGrpcHealthChecksService();
        return endpoints;
    }
}
