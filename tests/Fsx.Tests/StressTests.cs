using Xunit.Abstractions;

namespace VmoCluster.Fsx.Tests;

/// <summary>P1, P2, P4, P7, P9: random families against a stupid model. A failure prints a short script and how to play it.</summary>
public sealed class StressTests(ITestOutputHelper output)
{
    // A twentieth of the million that the program is run with by hand; one family's seed follows from this and its number.
    private const int CoreOperations = 50_000;

    [Fact]
    public async Task Random_families_on_the_core_do_what_the_model_says() =>
        await RunAsync(new() { Seed = 20_181_206, Count = CoreOperations });

    [Fact]
    public async Task Random_families_on_a_node_do_what_the_model_says_for_two_minutes_and_leave_the_store_whole() =>
        await RunAsync(new() { Target = "node", Time = TimeSpan.FromMinutes(2), Count = long.MaxValue, Clients = 6 });

    private async Task RunAsync(FsxOptions options)
    {
        output.WriteLine($"seed {options.Seed}");
        await using var place = await Place.OpenAsync(options);
        var result = await new Stress(options, place.Start, output.WriteLine).RunAsync();
        Assert.True(result.Failing is null, $"{result.Failure?.What}\n\n# dotnet run -c Release --project tests/Fsx -- --target {options.Target} --script FILE\n{result.Failing}");
        output.WriteLine($"{result.Operations} operations, {result.Families} families");
        Assert.True(result.Families > 5, $"only {result.Families} families came to their end");
        Assert.Null(await place.CheckStoreAsync());
    }
}
