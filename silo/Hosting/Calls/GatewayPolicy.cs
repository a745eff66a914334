using System.Collections.Frozen;
using Microsoft.Extensions.Logging;

namespace VmoCluster.Hosting.Calls;

/// <summary>
/// What Orleans clients outside the silos may call: the public grains, and what a client needs to be one. Defence in depth, not a wall: the
/// client itself says who it is. The wall is that the gateway is off unless asked for, and a network policy where it is on.
/// </summary>
internal sealed partial class GatewayPolicy(ILogger<GatewayPolicy> logger) : IIncomingGrainCallFilter
{
    private static readonly FrozenSet<Type> Public = new[] { typeof(IVmoGrain), typeof(IHandleRegistryGrain) }.ToFrozenSet();

    // Internal to Orleans, so named: the cluster's manifest, without which no client starts, and the cancelling of its own calls.
    private static readonly FrozenSet<string> Needed = new[] { "IClusterManifestSystemTarget", "ICancellationSourcesExtension" }.ToFrozenSet();

    public Task Invoke(IIncomingGrainCallContext context)
    {
        if (context.SourceId is { } source && source.IsClient() && !IsHosted(source)
            && context.InterfaceMethod?.DeclaringType is { } called && !Public.Contains(called) && !Needed.Contains(called.Name))
        {
            HostingTelemetry.Trespasses.Add(1);
            LogRefused(context.InterfaceName, context.MethodName);
            throw new UnauthorizedAccessException($"{context.InterfaceName} is not open to clients outside the silos.");
        }

        return context.Invoke();
    }

    // The client inside a silo, through which its front doors call.
    private static bool IsHosted(GrainId source) => source.Key.ToString()!.StartsWith("hosted-", StringComparison.Ordinal);

    [LoggerMessage(LogLevel.Warning, "A client outside the silos called {Interface}.{Method} and was refused.")]
    private partial void LogRefused(string @interface, string method);
}
