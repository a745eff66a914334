using System.Reflection;
using VmoCluster.Messages;
using VmoCluster.OrleansClient;

namespace VmoCluster.Client.Tests;

/// <summary>Which grain the Orleans transport asks.</summary>
public sealed class RoutingTests
{
    private static readonly Koid Asked = new(12345);
    private static readonly CallHead Head = new(new(1, 2), new(3, 4), 0, 1000, Caller.Anonymous);

    public static TheoryData<VmoCall, string> Calls => new()
    {
        { new CloneCall(Head, [new()], 1, new(5, 6), false), "IHandleRegistryGrain.ChangeAsync" },
        { new DuplicateCall(Head, new(5, 6), VmoRights.Read, 0, null), "IHandleRegistryGrain.ChangeAsync" },
        { new CloseCall(Head), "IHandleRegistryGrain.ChangeAsync" },
        { new TreeCall(Head, Koid.None), "IVmoGrain.CallAsync" },
        { new ExplainCall(Head, 7), "IVmoGrain.CallAsync" },
        { new GetSizeCall(Head), "IVmoGrain.CallAsync" },
    };

    [Theory]
    [MemberData(nameof(Calls), DisableDiscoveryEnumeration = true)]
    public async Task What_issues_or_ends_handles_goes_to_the_registry_and_the_rest_to_the_vmo(VmoCall call, string method)
    {
        var asked = new List<(string Method, long Key)>();
        await using var transport = new OrleansTransport(Grains.Make(asked));
        await transport.CallAsync(Asked, call, CancellationToken.None);
        var key = method.StartsWith("IVmo", StringComparison.Ordinal) ? Placement.VmoKey(Asked) : Placement.RegistryShard(Asked);
        Assert.Equal([(method, key)], asked);
    }

    [Fact]
    public async Task A_scrub_goes_to_the_registry_with_its_family()
    {
        var asked = new List<(string Method, long Key)>();
        await using var transport = new OrleansTransport(Grains.Make(asked));
        Assert.True((await transport.ScrubAsync(new() { Family = Asked }, CancellationToken.None)).Outcome.IsOk);
        Assert.Equal([("IHandleRegistryGrain.ScrubAsync", Placement.RegistryShard(Asked))], asked);
    }

    /// <summary>A factory whose grains write down what they are asked and say yes.</summary>
    public class Grains : DispatchProxy
    {
        private List<(string Method, long Key)> _asked = [];
        private long _key;

        public static IGrainFactory Make(List<(string Method, long Key)> asked) => (IGrainFactory)Make(typeof(IGrainFactory), asked, 0);

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            if (targetMethod!.Name == nameof(IGrainFactory.GetGrain))
                return Make(targetMethod.ReturnType, _asked, (long)args![0]!);
            _asked.Add(($"{targetMethod.DeclaringType!.Name}.{targetMethod.Name}", _key));
            return targetMethod.ReturnType == typeof(ValueTask<ScrubReply>) ? new ValueTask<ScrubReply>(new ScrubReply()) : new ValueTask<VmoReply>(VmoReply.Ok);
        }

        private static Grains Make(Type type, List<(string Method, long Key)> asked, long key)
        {
            var made = (Grains)Create(type, typeof(Grains));
            (made._asked, made._key) = (asked, key);
            return made;
        }
    }
}
