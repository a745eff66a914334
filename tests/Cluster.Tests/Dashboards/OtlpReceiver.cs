using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using VmoCluster.Cluster.Tests.Dashboards.Otlp;

namespace VmoCluster.Cluster.Tests.Dashboards;

/// <summary>A span as it came over the wire, with the process it came from.</summary>
internal sealed record ReceivedSpan(string Instance, string Scope, Span Span)
{
    public string Name => Span.Name;

    public string TraceId => Span.TraceId.ToBase64();

    public string Id => Span.SpanId.ToBase64();

    public string? ParentId => Span.ParentSpanId.IsEmpty ? null : Span.ParentSpanId.ToBase64();

    public IEnumerable<string> AttributeNames => Span.Attributes.Select(a => a.Key);

    public string? Attribute(string name) => Span.Attributes.FirstOrDefault(a => a.Key == name)?.Value.StringValue;
}

/// <summary>A receiver of traces over OTLP (HTTP, protobuf), for tests only.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly HttpListener _listener;
    private readonly ConcurrentQueue<ReceivedSpan> _spans = new();
    private readonly Task _loop;

    private OtlpReceiver(HttpListener listener, int port)
    {
        _listener = listener;
        Endpoint = new($"http://127.0.0.1:{port}");
        _loop = Task.Run(ReceiveAsync);
    }

    /// <summary>What OTEL_EXPORTER_OTLP_ENDPOINT is to be set to, with the protocol http/protobuf.</summary>
    public Uri Endpoint { get; }

    public IReadOnlyCollection<ReceivedSpan> Spans => _spans;

    /// <summary>The settings by which a process sends here, soon after each span ends.</summary>
    public IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string>
    {
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = Endpoint.ToString(),
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
        ["OTEL_TRACES_SAMPLER"] = "parentbased_always_on",
    };

    public static OtlpReceiver Start()
    {
        for (var attempt = 1; ; attempt++)
        {
            var port = FreePort();
            var listener = new HttpListener();
            listener.Prefixes.Add($"http://127.0.0.1:{port}/");
            try
            {
                listener.Start();
                return new(listener, port);
            }
            catch (HttpListenerException) when (attempt < 5)
            {
                // Somebody took the port in between: another is tried.
                listener.Close();
            }
        }
    }

    /// <summary>Waits until the spans fulfil a condition, or fails with what was there instead.</summary>
    public async Task<T> WaitAsync<T>(string what, Func<IReadOnlyCollection<ReceivedSpan>, T?> find, TimeSpan patience) where T : class
    {
        for (var waited = Stopwatch.StartNew(); waited.Elapsed < patience; await Task.Delay(100))
        {
            if (find(Spans) is { } found)
                return found;
        }

        throw new TimeoutException($"no {what} in {patience.TotalSeconds} s; received {Spans.Count} spans:\n" +
            string.Join('\n', Spans.TakeLast(200).Select(s => $"{s.Instance} {s.Scope} {s.Name} trace={s.TraceId} id={s.Id} parent={s.ParentId}")));
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Close();
        await _loop;
    }

    private async Task ReceiveAsync()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                return; // The listener was closed.
            }

            // Metrics and logs of the same exporters are taken and dropped.
            using var body = new MemoryStream();
            await context.Request.InputStream.CopyToAsync(body);
            if (context.Request.Url!.AbsolutePath == "/v1/traces")
                Take(ExportTraceServiceRequest.Parser.ParseFrom(body.ToArray()));
            context.Response.ContentType = "application/x-protobuf";
            context.Response.Close();
        }
    }

    private void Take(ExportTraceServiceRequest request)
    {
        foreach (var resource in request.ResourceSpans)
        {
            var instance = resource.Resource.Attributes.FirstOrDefault(a => a.Key == "service.instance.id")?.Value.StringValue ?? "?";
            foreach (var scope in resource.ScopeSpans)
            {
                foreach (var span in scope.Spans)
                    _spans.Enqueue(new(instance, scope.Scope.Name, span));
            }
        }
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
