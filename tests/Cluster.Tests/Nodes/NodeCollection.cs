using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>Tests that run node processes, one after the other: several clusters at once are more than two cores can keep alive.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class NodeCollection
{
    public const string Name = "nodes";
}
