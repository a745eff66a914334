using VmoCluster.Hosting.Nodes;
using VmoCluster.Hosting.Settings;
using VmoCluster.PageStore;
using Xunit;

namespace VmoCluster.Hosting.Tests;

/// <summary>What the data folder remembers of the store, and what it takes and refuses by it.</summary>
public sealed class StoreMemoryTests : IDisposable
{
    private static readonly string One = new('1', 32);
    private static readonly string Two = new('2', 32);
    private static readonly DateTimeOffset Then = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-seen-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_folder_that_remembers_nothing_takes_any_store()
    {
        var memory = StoreMemory.Read(Options());
        Assert.Null(memory.Judge(null));
        Assert.Null(memory.Judge(new(One, 0, Then)));
    }

    [Theory]
    [InlineData(60_000, true)]
    [InlineData(60_001, false)]
    public void A_store_may_be_a_minute_behind_and_not_more(int milliseconds, bool isTaken)
    {
        Remember(new(One, 100, Then));
        var memory = StoreMemory.Read(Options());
        var found = new StoreSighting(One, 40, Then.AddMilliseconds(-milliseconds));
        Assert.Equal(isTaken, memory.Judge(found) is null);
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), memory.Behind(found));
        Assert.Null(memory.Behind(new(One, 100, Then)));
    }

    [Fact]
    public void Another_store_and_none_are_refused_with_both_ids_and_the_way_to_take_them()
    {
        Remember(new(One, 1, Then));
        var other = StoreMemory.Read(Options()).Judge(new(Two, 1, Then))!;
        Assert.Contains(One, other, StringComparison.Ordinal);
        Assert.Contains($"--accept-store {Two}", other, StringComparison.Ordinal);
        Assert.Contains("--accept-store new", StoreMemory.Read(Options()).Judge(null), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_accepted_is_the_named_store_and_no_other()
    {
        Remember(new(One, 100, Then));
        var (two, fresh) = (StoreMemory.Read(Options(accept: Two)), StoreMemory.Read(Options(accept: "new")));
        Assert.Null(two.Judge(new(Two, 1, Then)));
        Assert.NotNull(two.Judge(null));
        Assert.Null(fresh.Judge(null));
        Assert.NotNull(fresh.Judge(new(Two, 1, Then)));
        Assert.Null(StoreMemory.Read(Options(accept: One)).Judge(new(One, 1, Then.AddDays(-1))));
    }

    [Fact]
    public void A_node_that_was_told_its_store_takes_no_other_though_its_folder_is_fresh()
    {
        var memory = StoreMemory.Read(Options(only: One));
        Assert.Null(memory.Judge(new(One, 1, Then)));
        Assert.Contains($"this store's id is {Two}", memory.Judge(new(Two, 1, Then)), StringComparison.Ordinal);
        Assert.Contains("no identity", memory.Judge(null), StringComparison.Ordinal);
    }

    [Fact]
    public void A_memory_that_cannot_be_read_is_no_memory_of_nothing()
    {
        Remember(new(One, 1, Then));
        File.WriteAllText(Path.Combine(_folder, "store-seen"), "{\"Store\":");
        Assert.Contains("store-seen", Assert.Throws<StartupException>(() => StoreMemory.Read(Options())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_file_is_replaced_whole_and_leaves_nothing_beside_it()
    {
        var memory = StoreMemory.Read(Options());
        for (var i = 1ul; i < 20; i++)
        {
            memory.Keep(new(One, i, Then.AddSeconds(i)));
        }

        Assert.Equal("store-seen", Path.GetFileName(Assert.Single(Directory.GetFiles(_folder))));
        Assert.Equal(TimeSpan.FromSeconds(9), StoreMemory.Read(Options()).Behind(new(One, 10, Then.AddSeconds(10))));
    }

    private void Remember(StoreSighting seen) => StoreMemory.Read(Options()).Keep(seen);

    private VmoNodeOptions Options(string? only = null, string? accept = null) =>
        new() { Data = _folder, Redis = "127.0.0.1:6379", StoreId = only, AcceptStore = accept };
}
