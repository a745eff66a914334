using VmoCluster.Chaos.History;
using Xunit.Abstractions;

namespace VmoCluster.Chaos.Tests.History;

/// <summary>By seed: the checker and every order tried say the same of small histories, and a right store of any size is called right.</summary>
public sealed class RandomHistoryTests(ITestOutputHelper output)
{
    private static readonly int Iterations = int.TryParse(Environment.GetEnvironmentVariable("VMO_ITERATIONS"), out var iterations) ? iterations : 4000;

    [Fact]
    public void The_checker_says_of_every_small_history_what_trying_all_orders_says()
    {
        var (right, wrong) = (0, 0);
        for (var seed = 0; seed < Iterations; seed++)
        {
            var events = Any(new Random(seed));
            var expected = Brute.Explains(events);
            var found = LinearizabilityChecker.Check(events);
            Assert.True(expected == (found.Findings.Count == 0), $"seed {seed}: some order {(expected ? "explains" : "does not explain")} it, the checker says {string.Join('\n', found.Findings)}");
            (right, wrong) = expected ? (right + 1, wrong) : (right, wrong + 1);
        }

        output.WriteLine($"{right} right, {wrong} wrong");
        Assert.True(right > Iterations / 20 && wrong > Iterations / 20, $"{right} right and {wrong} wrong: one of them is hardly met");
    }

    [Fact]
    public void A_right_store_is_called_right_and_a_read_of_the_past_in_it_is_found()
    {
        var visited = 0L;
        for (var seed = 0; seed < 20; seed++)
        {
            var events = new PlayedStore(seed).Play(calls: 5000);
            var found = LinearizabilityChecker.Check(events);
            Assert.True(found.Findings.Count == 0, $"seed {seed}: {string.Join('\n', found.Findings)}");
            visited += found.Visited;

            // The value that a cell showed much earlier, when it has shown others since.
            var random = new Random(seed);
            var reads = events.Where(one => one is { Kind: HistoryKind.Read, Outcome: HistoryOutcome.Ok, Vmo: 1, Cell: 0 }).OrderBy(one => one.Began).ToList();
            var late = reads[^1];
            var old = reads.First(one => one.Shown[0] != late.Shown[0] && one.Shown[0] != 0);
            var spoilt = events.Select(one => ReferenceEquals(one, late) ? one with { Shown = old.Shown } : one).ToList();
            Assert.Contains(LinearizabilityChecker.Check(spoilt).Findings, finding => finding.Kind == FindingKind.NotLinearizable);
        }

        output.WriteLine($"{visited} states for 100,000 calls");
        // About a dozen states a call, where eight callers meet on three cells and zeros without an answer stay open: a search that tries what it need not would show here.
        Assert.InRange(visited, 1, 3_000_000);
    }

    // Two VMOs, one a clone of the other, few values, times that overlap: right about as often as wrong.
    private static List<HistoryEvent> Any(Random random)
    {
        var told = new Told().Create(1).Clone(1, 2, 0, random.Next(1, 8), isSnapshot: random.Next(3) == 0);
        var values = new List<ulong> { 0 };
        var count = random.Next(3, 6);
        for (var i = 0; i < count; i++)
        {
            var began = random.Next(8, 40);
            var ended = began + random.Next(1, 20);
            var (vmo, outcome) = ((ulong)random.Next(1, 3), random.Next(5) == 0 ? HistoryOutcome.Unknown : HistoryOutcome.Ok);
            switch (random.Next(8))
            {
                case < 3:
                    values.Add((ulong)(i + 10));
                    told.Write(vmo, values[^1], began, ended, outcome);
                    break;
                case 3:
                    told.Decommit(vmo, began, ended, outcome);
                    break;
                case 4:
                    told.Zero(vmo, began, ended, outcome);
                    break;
                default:
                    told.Read(vmo, values[random.Next(values.Count)], began, ended);
                    break;
            }
        }

        return [.. told.Events];
    }
}
