using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using VmoCluster.Hosting.Settings;

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

        // A message holds 256 KiB of pages and its envelope; nothing larger is asked for.
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.Http2.InitialConnectionWindowSize = 4 << 20;
        kestrel.Limits.Http2.InitialStreamWindowSize = 1 << 20;
        kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
        kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(15);
        kestrel.Listen(options.Listen, listen => Serve(_grpc = listen, HttpProtocols.Http2));
        kestrel.Listen(options.Http, listen => Serve(_http = listen, HttpProtocols.Http1));
    }

    public void Map(WebApplication app)
    {
        _drain.Begin(app.Lifetime);
        app.MapWhen(context => !HttpProtocol.IsHttp2(context.Request.Protocol), StatusPages.Map);
    }

    private void Serve(ListenOptions listen, HttpProtocols protocols)
    {
        listen.Protocols = protocols;
        listen.Use(_drain.Watch);
    }
}
