using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;

namespace VmoCluster.GrpcDoor;

/// <summary>What the door measures. Tags are names of calls and statuses; nothing of a handle.</summary>
internal static class DoorTelemetry
{
    public const string CallsName = "vmo.door.calls";
    public const string DoorTag = "vmo.door";
    public const string CallTag = "vmo.call";
    public const string StatusTag = "vmo.status";

    private static readonly KeyValuePair<string, object?> Door = new(DoorTag, "grpc");

    private static readonly Counter<long> Calls = Telemetry.Meter.CreateCounter<long>(
        CallsName, "{call}", "Calls through a front door, by how they ended.");

    public static Activity? Start(DoorCall call, HttpContext context)
    {
        if (!Telemetry.Source.HasListeners())
            return null;
        if (Activity.Current is not null)
            return Telemetry.Source.StartActivity(call.SpanName);

        // Nobody made a span of the HTTP request: the caller's context is still in its header.
        ActivityContext.TryParse(context.Request.Headers.TraceParent, context.Request.Headers.TraceState, isRemote: true, out var parent);
        return Telemetry.Source.StartActivity(call.SpanName, ActivityKind.Server, parent);
    }

    public static void End(DoorCall call, Activity? span, VmoStatus status)
    {
        if (Calls.Enabled)
            Calls.Add(1, Door, new(CallTag, call.Name), new(StatusTag, status == VmoStatus.Ok ? "OK" : status.ToZxName()));
        if (span is null)
            return;
        if (status != VmoStatus.Ok)
        {
            span.SetTag(StatusTag, status.ToZxName());
            span.SetStatus(ActivityStatusCode.Error);
        }

        span.Dispose();
    }
}
