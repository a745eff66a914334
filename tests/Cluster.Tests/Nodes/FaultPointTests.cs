using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using VmoCluster.Client;
using VmoCluster.Core.Store;
using VmoCluster.FaultPoints;
using VmoCluster.Fsx;
using VmoCluster.Fsx.Ops;
using VmoCluster.Fsx.Targets;
using VmoCluster.Harness;
using VmoCluster.PageStore;
using Xunit;
using Xunit.Abstractions;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>
/// P3, P4, P9 when a silo dies at any step of what takes several: creation, every kind of clone, close, re-homing, folding, taking over, handing over, renewal and letters.
/// Families live on two silos; one of them kills itself at a named place, the clients go on with the other. Everything that was answered Ok must be so, and at the end
/// a scrub finds nothing and nothing is left in the store.
/// </summary>
[Collection(NodeCollection.Name)]
public sealed class FaultPointTests(FaultLanes lanes, ITestOutputHelper output) : IClassFixture<FaultLanes>
{
    private const int Families = 3;
    private const int KilledExitCode = 128 + Signals.Kill;

    private static readonly TimeSpan ReachedWithin = TimeSpan.FromSeconds(80);

    private static readonly Script Family = Script.Parse("""
        create v1 64p fixed
        write v1 0 20p fill 3
        clone v1: v2 snapshot 0 64p
        clone v1: v3 live 0 64p
        clone v1: v4 slice 8p 16p
        clone v1: v5 reference 0 0
        clone v1: v6..v11 snapshot 0 32p
        clone v1: v15..v18 live 0 32p
        read v3 0 32p
        read v15 0 8p
        read v16 0 8p
        read v17 0 8p
        read v18 0 8p
        write v1 2p 100 fill 5
        read v3 0 32p
        read v15 0 8p
        read v18 0 8p
        write v1 3p 1p fill 6
        write v3 4p 2p fill 7
        write v2 0 4p fill 8
        write v4 0 3p fill 11
        read v5 0 16p
        write v5 30p 1p fill 12
        clone v2: v12 snapshot 0 64p
        clone v3: v13 live 0 64p
        read v13 0 64p
        write v3 10p 1p fill 2
        zero v2 1p 100
        decommit v2 0 2p
        write v12 3p 1p fill 4
        dup v12 v12.1 Read|Write|GetProperty
        read v7 0 32p
        write v10 0 2p fill 5
        clone v10: v19 snapshot 0 32p
        close v19   # folded
        write v10 1p 2p fill 6
        clone v10: v20 snapshot 0 32p
        write v20 1p 1p fill 9
        close v10   # v20 takes over what it held
        close v9
        close v2   # v12 is v1's child from here on
        close v3   # a ghost, for v13
        rest
        revoke v12
        close v1   # a ghost, for v4, v5 and v3
        read v13 0 64p
        close v13
        write v4 1p 1p fill 1
        read v5 8p 3p
        close v6
        close v8
        """);

    [Theory]
    [InlineData("birth")]
    [InlineData("death")]
    [InlineData("folding")]
    [InlineData("ownership")]
    [InlineData("changes")]
    public async Task A_silo_that_dies_at_any_named_place_loses_nothing_and_leaves_nothing_behind(string protocol)
    {
        var points = new ConcurrentQueue<string>(Chosen().Where(point => ProtocolOf(point) == protocol));
        var wrong = new ConcurrentBag<string>();
        await Task.WhenAll(lanes.Options.Zip(lanes.Survivors, (options, survivor) => Task.Run(async () =>
        {
            while (points.TryDequeue(out var point))
            {
                var began = Stopwatch.GetTimestamp();
                try
                {
                    await DieAtAsync(point, options, survivor, lanes.Redis);
                }
                catch (Exception failure) // Every place has its say, whatever went wrong at the one before.
                {
                    wrong.Add($"{point}: {failure.Message}");
                }

                output.WriteLine($"{point}: {Stopwatch.GetElapsedTime(began).TotalSeconds:F1} s");
            }
        })));
        Assert.True(wrong.IsEmpty, string.Join("\n\n", wrong));
    }

    private static readonly string[] Folding = ["commit.fold", "commit.past", "commit.absorb", "commit.turn", "commit.told"];

    private static string ProtocolOf(string point) => point.Split('.', ':')[0] switch
    {
        "create" or "child" => "birth",
        "commit" when point.Contains("clone", StringComparison.Ordinal) || point.Contains("top", StringComparison.Ordinal) || point.Contains("freeze", StringComparison.Ordinal) => "birth",
        "commit" when Folding.Any(step => point.StartsWith(step, StringComparison.Ordinal)) => "folding",
        "tell" when point.Contains("reparent", StringComparison.Ordinal) || point.Contains("alone", StringComparison.Ordinal) => "folding",
        "unlink" or "drop" or "erase" or "clear" => "death",
        "commit" when point.Contains("ghost", StringComparison.Ordinal) || point.Contains("dying", StringComparison.Ordinal) => "death",
        "tell" when !point.Contains("fence", StringComparison.Ordinal) => "death",
        "acquire" or "release" or "letter" or "renew" or "note" => "ownership",
        _ => "changes",
    };

    // By hand: VMO_POINTS=drop.after,erase.before, or all.
    private static IEnumerable<string> Chosen() => Environment.GetEnvironmentVariable("VMO_POINTS") switch
    {
        null or "" => FaultPoint.Steps,
        "all" => FaultPoint.All,
        { } some => some.Split(','),
    };

    private static async Task DieAtAsync(string point, SiloOptions options, SiloProcess survivor, RedisServer redis)
    {
        await using var victim = await SiloProcess.StartAsync(options with
        {
            Environment = new Dictionary<string, string>
            {
                ["DOTNET_STARTUP_HOOKS"] = BuiltServer.Find("tests/FaultPoints", "VmoCluster.FaultPoints.dll"),
                [FaultPoint.Variable] = point,
            },
        });
        await using var client = VmoClient.Connect(new()
        {
            Endpoints = [victim.Endpoint, survivor.Endpoint], Deadline = TimeSpan.FromSeconds(60), ConnectTimeout = TimeSpan.FromSeconds(30),
        });
        var began = Stopwatch.GetTimestamp();
        var differences = await Task.WhenAll(Enumerable.Range(0, Families).Select(async _ =>
        {
            // Which VMOs live on the victim is Orleans' choice: families come and go until it has passed the place.
            string? difference;
            do
                difference = await PlayAsync(client);
            while (difference is null && !victim.HasExited && Stopwatch.GetElapsedTime(began) < ReachedWithin);
            return difference;
        }).Append(PromptAsync(point, victim, options.Prefix!, redis)));
        Assert.True(differences.All(difference => difference is null), survivor.Log + "\n" + string.Join('\n', differences.Where(difference => difference is not null)));
        Assert.True(victim.HasExited, "the place was never passed");
        Assert.Equal(KilledExitCode, victim.ExitCode);

        await using var operated = VmoClient.Connect(new() { Endpoints = [survivor.Endpoint], Deadline = TimeSpan.FromSeconds(60), OperatorToken = survivor.OperatorToken });
        IReadOnlyList<string> left = [];
        await Eventually.UntilAsync("records, layers and blobs are gone", async () =>
        {
            left = [.. (await redis.KeysAsync($"{options.Prefix}{{[0-9]*}}*")).Where(key => !key.EndsWith(":t", StringComparison.Ordinal))];
            return left.Count == 0;
        }, TimeSpan.FromSeconds(30)).ContinueWith(done => Assert.True(done.IsCompletedSuccessfully, $"left: {string.Join(' ', left)}"), TaskScheduler.Default);
        Assert.Equal([], await operated.ScrubAsync().ToListAsync());
    }

    private static async Task<string?> PlayAsync(VmoClient client) =>
        await Play.ScriptAsync(Family, _ => new ClientTarget(client, canList: false)) is { } failure
            ? $"{(failure.At < Family.Ops.Count ? Family.Ops[failure.At] : "the end")}: {failure.What}"
            : null;

    // What does not come by itself while families are played: that the silo is told to leave, or, VMO by VMO, to give them up.
    private static async Task<string?> PromptAsync(string point, SiloProcess victim, string prefix, RedisServer redis)
    {
        var session = victim.Session;
        if (point.StartsWith("release", StringComparison.Ordinal))
        {
            await Eventually.UntilAsync("the silo owns a VMO", async () => (await Task.WhenAll((await redis.KeysAsync($"{prefix}{{[0-9]*}}:v")).Select(key => redis.CommandAsync("HGET", key, "owner"))))
                .Any(owner => owner.Contains($"{session:x}:", StringComparison.Ordinal)));
            await victim.StopAsync();
        }

        if (!point.StartsWith("letter", StringComparison.Ordinal) && !point.StartsWith("tell.aliasfence", StringComparison.Ordinal))
            return null;
        await using var store = await RedisStore.OpenAsync(new() { Configuration = redis.Configuration, KeyPrefix = prefix }, NullLoggerFactory.Instance, TimeProvider.System, CancellationToken.None);
        for (var began = Stopwatch.GetTimestamp(); !victim.HasExited && Stopwatch.GetElapsedTime(began) < ReachedWithin; await Task.Delay(200))
        {
            try
            {
                foreach (var key in await redis.KeysAsync($"{prefix}{{[0-9]*}}:v"))
                    await store.Sessions.SendLetterAsync(session, LetterKind.GiveUp, new(ulong.Parse(key.Split('{', '}')[1], CultureInfo.InvariantCulture)), "", CancellationToken.None);
            }
            catch (StoreException)
            {
                // The store has a second for each answer; on a machine as busy as this one it may need more. The next round asks again.
            }
        }

        return null;
    }
}
