using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using VmoCluster.Client;
using VmoCluster.GrpcDoor;
using VmoCluster.Hosting.Health;
using VmoCluster.Hosting.Settings;
using VmoCluster.OrleansClient;

namespace VmoCluster.Server;

/// <summary>
/// The node's two doors: gRPC over HTTP/2 without TLS, and HTTP/1.1 for metrics and health. A request's protocol tells through which it came.
/// </summary>
internal sealed class Doors(VmoNodeOptions options)
{
    private readonly Drain _drain = new();
    private ListenOptions? _grpc;
    private ListenOptions? _http;

    /// <summary>Where gRPC really listens. Only after the start.</summary>
    public IPEndPoint Grpc => _grpc!.IPEndPoint!;

    /// <summary>Where HTTP really listens. Only after the start.</summary>
    public IPEndPoint Http => _http!.IPEndPoint!;

    public void Open(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Listen(options.Listen, listen => Serve(_grpc = listen, HttpProtocols.Http2));
        kestrel.Listen(options.Http, listen => Serve(_http = listen, HttpProtocols.Http1));
    }

    public void AddServices(IServiceCollection services, string operatorToken)
    {
        services.AddSingleton<ITransport>(provider => new OrleansTransport(
            provider.GetRequiredService<IGrainFactory>(), provider.GetRequiredService<ILogger<OrleansTransport>>()));
        services.AddVmoDoor(new() { OperatorToken = operatorToken, CallsMax = options.Calls, CallBytesMax = options.CallBytes });
        services.AddHealthChecks().AddCheck<NodeHealthCheck>("node");

        // gRPC's health service shows what was published last: as often as a probe may ask.
        services.Configure<HealthCheckPublisherOptions>(publish => (publish.Delay, publish.Period) = (TimeSpan.Zero, TimeSpan.FromSeconds(1)));
    }

    public void Map(WebApplication app)
    {
        _drain.Begin(app.Lifetime);
        app.MapWhen(context => HttpProtocol.IsHttp2(context.Request.Protocol), MapGrpc);
        StatusPages.Map(app);
    }

    private static void MapGrpc(IApplicationBuilder app)
    {
        app.UseRouting();
        app.UseEndpoints(endpoints => endpoints.MapVmoDoor());
    }

    private void Serve(ListenOptions listen, HttpProtocols protocols)
    {
        listen.Protocols = protocols;
        listen.Use(_drain.Watch);
    }
}
