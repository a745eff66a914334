using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace VmoCluster.Cluster.Tests.Conformance;

/// <summary>CASES.md against the tests there are: what it says of a number is so, and it says something of each.</summary>
public sealed partial class CasesTableTests
{
    private const int Last = 325;
    private static readonly List<(IReadOnlyList<string> Numbers, string Where, string Note)> Rows = [.. Read()];

    [Fact]
    public void The_table_says_of_every_number_once_where_it_is()
    {
        var expected = Enumerable.Range(1, Last).Select(Name);
        Assert.Equal(expected, Rows.SelectMany(row => row.Numbers).Order());
        Assert.All(Rows, row => Assert.Contains(row.Where, new[] { "test", "elsewhere", "left out" }));
        Assert.All(Rows.Where(row => row.Where != "test"), row => Assert.NotEmpty(row.Note));
    }

    [Fact]
    public void A_number_is_told_as_a_test_just_when_there_is_one_here()
    {
        var tests = typeof(CasesTableTests).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(Cases)))
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            .Where(method => method.GetCustomAttribute<TheoryAttribute>() is not null)
            .ToList();
        Assert.All(tests, test => Assert.Matches("^C[0-9]{3}_[A-Z]", test.Name));
        Assert.All(tests, test => Assert.NotNull(test.GetCustomAttribute<EveryDoorAttribute>()));
        var told = Rows.Where(row => row.Where == "test").SelectMany(row => row.Numbers);
        Assert.Equal(told.Order(), tests.Select(test => test.Name[..4]).Order());
    }

    [Fact]
    public void What_is_said_to_be_elsewhere_is_there()
    {
        var classes = Directory.EnumerateFiles(Repository.PathOf("tests"), "*.cs", SearchOption.AllDirectories)
            .ToLookup(file => Path.GetFileNameWithoutExtension(file));
        foreach (var row in Rows.Where(row => row.Where == "elsewhere"))
        {
            var named = row.Note.Split('`');
            Assert.True(named.Length > 1, $"no class for {row.Numbers[0]}");
            var file = Assert.Single(classes[named[1]]);
            var text = File.ReadAllText(file);

            // A second name is the test; without it each number is part of one.
            if (named.Length > 3)
                Assert.Contains(named[3], text, StringComparison.Ordinal);
            else
                Assert.All(row.Numbers, number => Assert.Contains(number + "_", text, StringComparison.Ordinal));
        }
    }

    private static IEnumerable<(IReadOnlyList<string> Numbers, string Where, string Note)> Read()
    {
        foreach (var line in File.ReadLines(Repository.PathOf("tests/Cluster.Tests/Conformance/CASES.md")).Where(line => line.StartsWith("| C", StringComparison.Ordinal)))
        {
            var cells = line.Split('|', StringSplitOptions.TrimEntries);
            yield return ([.. cells[1].Split(", ").SelectMany(Numbers)], cells[2], cells[3]);
        }
    }

    // C001, or C001-C003.
    private static IEnumerable<string> Numbers(string cell)
    {
        var match = OneOrMany().Match(cell);
        if (!match.Success)
            throw new FormatException($"'{cell}' in CASES.md is no number and no range of numbers");
        var first = int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
        var last = match.Groups[2].Success ? int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture) : first;
        return Enumerable.Range(first, last - first + 1).Select(Name);
    }

    private static string Name(int number) => number.ToString("'C'000", CultureInfo.InvariantCulture);

    [GeneratedRegex("^C([0-9]{3})(?:-C([0-9]{3}))?$")]
    private static partial Regex OneOrMany();
}
