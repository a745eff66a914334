namespace VmoCluster;

/// <summary>
/// Who calls, as the front door that took the call has proved it. In every call from the first; on a loopback-only node without
/// authentication it is <see cref="Anonymous"/>. It never opens anything by itself but operator calls: access is by handles.
/// </summary>
[GenerateSerializer, Immutable, Alias("vmo.Caller")]
public sealed record Caller([property: Id(0)] string Tenant, [property: Id(1)] string Subject, [property: Id(2)] bool IsOperator)
{
    /// <summary>Someone on this machine's loopback, of the default tenant.</summary>
    public static Caller Anonymous { get; } = new("default", "anonymous", false);

    /// <summary>The operator of this node, proved by the operator's credential.</summary>
    public static Caller Operator { get; } = new("default", "operator", true);
}
