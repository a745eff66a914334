using VmoCluster.Cli.Parsing;
using Xunit;

namespace VmoCluster.Cli.Tests.Parsing;

public sealed class SpellingTests
{
    [Theory]
    [InlineData("create", "create", 0)]
    [InlineData("craete", "create", 1)]
    [InlineData("creat", "create", 1)]
    [InlineData("", "ls", 2)]
    [InlineData("dupe", "duplicate", 5)]
    public void Distance_counts_slips_of_the_finger(string typed, string meant, int slips) => Assert.Equal(slips, Spelling.Distance(typed, meant));
}
