using VmoCluster.Fsx.Ops;
using VmoCluster.Fsx.Targets;

namespace VmoCluster.Fsx.Tests;

/// <summary>Scripts that found something once, each with its story.</summary>
public sealed class FoundTests
{
    // A snapshot that was cut to nothing and frozen forgot the window that showed nothing any more, and so never told the home of what lay there that it had ended: the home,
    // dying, waited for it for ever.
    [Fact]
    public Task A_window_that_shows_nothing_any_more_is_given_back_at_the_end() => AgreesAsync("""
        create v6 21p fixed
        write v6 2p 1p fill 1
        clone v6: v7 snapshot 0 1p
        resize v7 0
        clone v7: v17 snapshot 0 1p fixed
        """);

    private static async Task AgreesAsync(string text)
    {
        for (var seed = 1; seed <= 20; seed++)
            Assert.Null(await Play.ScriptAsync(Script.Parse(text) with { Seed = seed }, script => new CoreTarget(script.Seed, seed % 2 * 15)));
    }
}
