using VmoCluster.Grains;
using VmoCluster.Messages;

namespace VmoCluster.FaultPoints;

/// <summary>What VMOs of a family, and silos, say to each other.</summary>
internal sealed class FaultyCalls : IOutgoingGrainCallFilter
{
    public async Task Invoke(IOutgoingGrainCallContext context)
    {
        var name = context.MethodName switch
        {
            nameof(IVmoUpkeepGrain.TellAsync) when context.Request.GetArgument(0) is KinMessage message => $"tell.{message.GetType().Name.ToLowerInvariant()}",
            nameof(IVmoUpkeepGrain.ForwardAsync) => "forward",
            nameof(IVmoUpkeepGrain.GrantAsync) => "grant",
            nameof(IGrantHolder.RecallAsync) => "recall",
            _ => null,
        };
        if (name is null)
        {
            await context.Invoke();
            return;
        }

        FaultPoint.Pass(name + ".before");
        await context.Invoke();
        FaultPoint.Pass(name + ".after");
    }
}
