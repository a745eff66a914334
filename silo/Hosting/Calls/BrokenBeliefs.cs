using Microsoft.Extensions.Logging;
using VmoCluster.Core;

namespace VmoCluster.Hosting.Calls;

/// <summary>
/// Turns a broken belief of our own code into what it is: a critical line, a count, and the end of the activation. The next call meets fresh
/// state from the store.
/// </summary>
internal sealed partial class BrokenBeliefs(ILogger<BrokenBeliefs> logger) : IIncomingGrainCallFilter
{
    public async Task Invoke(IIncomingGrainCallContext context)
    {
        try
        {
            await context.Invoke();
        }
        catch (InvariantException failure)
        {
            HostingTelemetry.Invariants.Add(1);
            LogBroken(context.TargetId.ToString(), context.MethodName, failure);
            (context.Grain as IGrainBase)?.DeactivateOnIdle();
            throw;
        }
    }

    [LoggerMessage(LogLevel.Critical, "{Grain}.{Method}: a belief of ours is broken. The activation ends; please report this.")]
    private partial void LogBroken(string grain, string method, Exception failure);
}
