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

    // The model was wrong, not the core: what a clone must not show stays hidden after a decommit, or whoever holds the clone would reveal it.
    [Fact]
    public Task A_decommit_does_not_reveal_what_a_clone_must_not_show() => AgreesAsync("""
        create v2 17p
        clone v2: v3 snapshot 0 106p hole 3p+3322 1111
        clone v3: v10 live 0 109p
        clone v10: v11 live 3p 351p hole 19p+2003 3209
        write v10 21p 2p+2982 fill 1
        decommit v11 0 465p
        """);

    [Fact]
    public Task Nor_does_a_clone_that_was_cut_and_has_grown_again() => AgreesAsync("""
        create v1 142p fixed
        clone v1: v11 live 8p 478p
        clone v11: v12..v14 live 9p 245p hole 90p+2277 3p+2315
        write v1 108p 1p fill 1
        resize v13 0
        resize v13 263p
        """);

    private static async Task AgreesAsync(string text)
    {
        for (var seed = 1; seed <= 20; seed++)
            Assert.Null(await Play.ScriptAsync(Script.Parse(text) with { Seed = seed }, script => new CoreTarget(script.Seed, seed % 2 * 15)));
    }
}
