namespace VmoCluster.PageStore.Tests.Faults;

/// <summary>When primaries' histories are others than before, so that what silos hold of the store may be lost.</summary>
public sealed class HistoriesTests
{
    [Theory]
    [InlineData("a", "a", false, false, false)]
    [InlineData("a", "b", false, false, true)]
    [InlineData("a", "a b", false, false, true)]
    [InlineData("a", "", false, false, false)]
    [InlineData("a b c", "a b c", true, false, false)]
    [InlineData("a b c", "a c", true, false, false)]
    [InlineData("a b c", "a d c", true, false, true)]
    // A replaced primary that woke was among them; then it is not, and nobody misses it.
    [InlineData("a b c", "a b d c", true, false, true)]
    [InlineData("a b d c", "a d c", true, true, true)]
    [InlineData("a b d c", "a d", true, false, false)]
    public void Are_others(string before, string found, bool isCluster, bool isWhole, bool areOthers) =>
        Assert.Equal(areOthers, StoreWatch.IsNews(Set(before), Set(found), isCluster, isWhole));

    private static HashSet<string> Set(string words) => [.. words.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
}
