namespace VmoCluster.PageStore.Tests.Faults;

/// <summary>When primaries' histories are others than before, so that what silos hold of the store may be lost.</summary>
public sealed class HistoriesTests
{
    [Theory]
    [InlineData("a", "a", false, null, false)]
    [InlineData("a", "b", false, null, true)]
    [InlineData("a", "a b", false, null, true)]
    [InlineData("a", "", false, null, false)]
    [InlineData("a b c", "a b c", true, null, false)]
    [InlineData("a b c", "a c", true, null, false)]
    [InlineData("a b c", "a c", true, 3, false)]
    [InlineData("a b c", "a d c", true, null, true)]
    // A replaced primary that woke was among them; then it is not, and nobody misses it.
    [InlineData("a b c", "a b d c", true, null, true)]
    [InlineData("a b d c", "a d c", true, 3, true)]
    [InlineData("a b d c", "a d", true, 3, false)]
    public void Are_others(string before, string found, bool isCluster, int? owners, bool areOthers) =>
        Assert.Equal(areOthers, StoreWatch.IsNews(Set(before), Set(found), isCluster, owners));

    private static HashSet<string> Set(string words) => [.. words.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
}
