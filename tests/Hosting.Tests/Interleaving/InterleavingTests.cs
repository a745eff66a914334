using System.Globalization;
using Xunit;
using Xunit.Abstractions;

namespace VmoCluster.Hosting.Tests.Interleaving;

/// <summary>
/// S1 to S3 over any order of events: sessions, letters, ownership tables and the store together, seed by seed. VMO_ITERATIONS=100000 for a
/// longer run, VMO_SEED=N for one.
/// </summary>
public sealed class InterleavingTests(ITestOutputHelper output)
{
    private const int Steps = 600;

    private static readonly int Iterations = NumberOf("VMO_ITERATIONS") ?? 150;

    [Fact]
    public async Task However_silos_are_interleaved_one_activation_acts_for_a_VMO_and_everybody_gets_it_in_the_end()
    {
        var seen = new Dictionary<string, int>();
        var seeds = NumberOf("VMO_SEED") is { } one ? [one] : Enumerable.Range(1, Iterations);
        foreach (var seed in seeds)
        {
            // On a thread without a synchronization context, so that what goes on goes on in the step that lets it.
            await Task.Factory.StartNew(() => Run(seed, seen), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }

        output.WriteLine(string.Join(", ", seen.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key} {pair.Value}")));
        string[] events = ["dead", "given up", "kill", "late request", "leave", "let go", "lost message", "lost session", "own", "pause", "released", "renewal"];
        Assert.All(events, what => Assert.True(seen.GetValueOrDefault(what) > 0 || NumberOf("VMO_SEED") is not null, $"'{what}' never happened"));
    }

    private static void Run(int seed, Dictionary<string, int> seen)
    {
        var cluster = new Cluster(seed);
        try
        {
            for (var step = 0; step < Steps; step++)
            {
                cluster.Step();
            }

            cluster.Recover();
        }
        catch (InvalidOperationException belief)
        {
            Assert.Fail($"seed {seed}: {belief.Message}\nThe last steps:\n{cluster.Chronicle.LastLines}");
        }

        foreach (var (what, count) in cluster.Chronicle.Seen)
        {
            seen[what] = seen.GetValueOrDefault(what) + count;
        }
    }

    private static int? NumberOf(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
