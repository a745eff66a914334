using System.Text.RegularExpressions;
using Xunit;

namespace VmoCluster.Cluster.Tests.Docs;

public partial class ReadmeTests
{
    [Fact]
    public void The_README_promises_P1_to_P11_and_every_test_it_names_exists()
    {
        var tests = Directory.GetFiles(Repository.PathOf("tests"), "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal))
            .SelectMany(f => TestMethod().Matches(File.ReadAllText(f)).Select(m => m.Groups[1].Value)).ToHashSet();
        var promises = Readme.Promises.ToList();
        Assert.Equal(Enumerable.Range(1, 11).Select(n => $"P{n}"), promises.Select(p => p.Promise));
        Assert.All(promises.SelectMany(p => p.Tests), named => Assert.Contains(named, tests));
        Assert.NotEmpty(promises.SelectMany(p => p.Tests));
    }

    [Fact]
    public void Every_file_the_README_links_to_exists() =>
        Assert.All(Readme.Links, link => Assert.True(Path.Exists(Repository.PathOf(link)), link));

    [Fact]
    public async Task The_README_s_two_commands_are_its_first_two_blocks()
    {
        var blocks = Readme.Blocks.Take(2).ToList();
        Assert.Equal(Readme.Block("node"), blocks[0]);
        Assert.Equal("tests/run\n", blocks[1]);
        Assert.Equal(0, (await Command.RunAsync("test", ["-x", "tests/run"], Repository.Root)).Code);
    }

    // A fact or theory, its attributes and its name.
    [GeneratedRegex(@"\[(?:Fact|Theory)\b[^\n]*\]\s*(?:\[[^\n]*\]\s*)*public (?:async )?(?:Task|void|ValueTask) (\w+)\(")]
    private static partial Regex TestMethod();
}
