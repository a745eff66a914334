using System.Reflection;
using Xunit.Sdk;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>The way a case goes to the node.</summary>
public enum Door
{
    Grpc,
    Orleans,
}

/// <summary>Runs a case by every way there is: what a call means must not depend on how it came.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class EveryDoorAttribute : DataAttribute
{
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => Enum.GetValues<Door>().Select(door => new object[] { door });
}
