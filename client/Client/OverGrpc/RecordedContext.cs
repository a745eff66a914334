using System.Diagnostics;

namespace VmoCluster.Client;

/// <summary>
/// Sends a call's trace context to the server: that of the nearest span somebody records. HttpClient puts an activity of its own around every
/// request, also when nobody listens to its source; nobody exports that one, and the server's span would hang on a parent that never arrives.
/// </summary>
internal sealed class RecordedContext : DistributedContextPropagator
{
    public static RecordedContext Instance { get; } = new();

    public override IReadOnlyCollection<string> Fields => Current.Fields;

    public override void Inject(Activity? activity, object? carrier, PropagatorSetterCallback? setter)
    {
        // What no source has made is nobody's to record.
        while (activity is { Source.Name: "", Parent: { } outer })
            activity = outer;
        Current.Inject(activity, carrier, setter);
    }

    public override void ExtractTraceIdAndState(object? carrier, PropagatorGetterCallback? getter, out string? traceId, out string? traceState) =>
        Current.ExtractTraceIdAndState(carrier, getter, out traceId, out traceState);

    public override IEnumerable<KeyValuePair<string, string?>>? ExtractBaggage(object? carrier, PropagatorGetterCallback? getter) =>
        Current.ExtractBaggage(carrier, getter);
}
