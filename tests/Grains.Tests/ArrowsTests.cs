using System.Text.RegularExpressions;

namespace VmoCluster.Grains.Tests;

/// <summary>The house: which project may know which. An arrow that is not drawn here is a mistake, or a decision to be drawn here first.</summary>
public partial class ArrowsTests
{
    private static readonly Dictionary<string, string[]> Drawn = new(StringComparer.Ordinal)
    {
        ["grains/Abstractions"] = [],
        ["grains/Core"] = ["Abstractions"],
        ["grains/Grains"] = ["Core"],
        ["silo/PageStore"] = ["Core"],
        ["silo/Hosting"] = ["PageStore", "Grains", "Client", "Orleans"],
        ["silo/Server"] = ["Hosting", "Grpc", "Nbd"],
        ["client/Client"] = ["Abstractions"],
        ["client/Orleans"] = ["Client"],
        ["client/Grpc"] = ["Client"],
        ["client/Nbd"] = ["Client"],
        ["client/Cli"] = ["Client", "Nbd"],
    };

    [Fact]
    public void Arrows_between_projects_are_those_drawn()
    {
        foreach (var (project, drawn) in Drawn)
        {
            var file = Directory.GetFiles(Path.Combine(Root(), project), "*.csproj").Single();
            var found = Reference().Matches(File.ReadAllText(file)).Select(match => match.Groups[1].Value);
            Assert.Equal(drawn.Order(), found.Order());
        }
    }

    [Fact]
    public void Every_project_outside_the_tests_is_drawn() => Assert.Equal(
        Drawn.Keys.Order(),
        new[] { "silo", "grains", "client" }.SelectMany(part => Directory.GetDirectories(Path.Combine(Root(), part)))
            .Where(folder => Directory.GetFiles(folder, "*.csproj").Length > 0)
            .Select(folder => Path.GetRelativePath(Root(), folder)).Order());

    [Fact]
    public void The_core_knows_no_Orleans_runtime_no_Redis_and_no_host()
    {
        var project = File.ReadAllText(Path.Combine(Root(), "grains/Core/Core.csproj"));
        foreach (var package in new[] { "Microsoft.Orleans", "StackExchange.Redis", "Microsoft.Extensions" })
            Assert.DoesNotContain(package, project, StringComparison.Ordinal);
    }

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Cluster.sln")))
            folder = folder.Parent ?? throw new DirectoryNotFoundException("no Cluster.sln above the tests");
        return folder.FullName;
    }

    [GeneratedRegex("ProjectReference Include=\"[^\"]*/([A-Za-z]+)\\.csproj\"")]
    private static partial Regex Reference();
}
