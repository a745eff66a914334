using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using VmoCluster.Chaos.History;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Chaos.Load;

/// <summary>Callers on families of VMOs over three silos while a schedule of faults goes on; then all is healed, read once more, and judged.</summary>
internal static partial class ChaosRun
{
    private const int Silos = 3;

    // A Redis that is killed has all that it answered for: what is lost is lost by us.
    private static readonly string[] Kept = ["appendonly yes", "appendfsync always"];

    // Its log holds every write for whoever looks for what went wrong, unless the run is so long that reading it takes longer than the faults are away from each other.
    private static readonly TimeSpan ToldWhole = TimeSpan.FromMinutes(10);

    // The end of calls and faults under way, and the closing of all.
    private static readonly TimeSpan MoreAtMost = TimeSpan.FromMinutes(4);

    // What is under way when a run ends early.
    private static readonly TimeSpan HealedAtMost = TimeSpan.FromMinutes(2);

    // A clone that nobody answered is begun within its deadline, counted from when it arrives: by then a line that stood still has passed it on, and what was under way is settled, also where Redis was away for longer than a minute.
    private static readonly TimeSpan CloneLateBy = TimeSpan.FromMinutes(5);

    // A minute, in which a handle that nobody was told of stays, and then its collection.
    private static readonly TimeSpan GoneWithin = TimeSpan.FromSeconds(90);

    public static async Task<ChaosVerdict> RunAsync(ChaosOptions options, Action<string> log)
    {
        var replicas = options.Redis switch { RedisKind.Sentinels => 2, RedisKind.Cluster => 1, _ => 0 };
        await using var lab = await ClusterLab.StartAsync(
            Silos, new SiloOptions { Arguments = replicas == 0 ? options.SiloArguments : [.. options.SiloArguments, "--durability", $"replicas:{replicas}"] }, replicas, hasSentinels: options.Redis == RedisKind.Sentinels,
            redisOptions: [.. Kept, options.Length > ToldWhole ? "auto-aof-rewrite-min-size 256mb" : "auto-aof-rewrite-percentage 0"], isRedisCluster: options.Redis == RedisKind.Cluster);
        var kinds = options.Kinds ?? [.. lab.Kinds.Where(kind => kind is not FaultKind.Truncate)];
        var plan = new FaultPlan
        {
            Seed = options.Seed, Kinds = kinds, Silos = Silos, Length = options.Length, MeanInterval = options.MeanInterval, MeanDuration = options.MeanDuration,
        };
        var schedule = options.Schedule ?? FaultSchedule.Of(plan);
        log($"seed {options.Seed}, {options.Length.TotalMinutes:F1} minutes, {schedule.Count} faults of {string.Join(", ", kinds)}");
        var (recorder, clients) = (new Recorder(), new List<VmoClient>());
        using var stop = new CancellationTokenSource();
        using var end = new CancellationTokenSource();
        var driver = new FaultDriver(lab, log);
        var (driving, supervising) = (Task.CompletedTask, Task.CompletedTask);
        try
        {
            return await PlayAsync().WaitAsync(options.Length + options.HealedWithin + MoreAtMost);
        }
        catch (Exception failure) // Whatever ends a run early, what there is of it tells why.
        {
            try
            {
                log($"what there is of it is in {await Evidence.KeepAsync(lab, failure.ToString(), recorder.Events)}");
            }
            catch (IOException gone) // A file that Redis has renamed meanwhile: what ended the run is told all the same.
            {
                log($"what there is of it could not be kept: {gone.Message}");
            }

            throw;
        }
        finally
        {
            // Nobody starts a silo again that goes with its lab.
            await stop.CancelAsync();
            await end.CancelAsync();
            await driving.WaitAsync(HealedAtMost).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await supervising.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (var client in clients)
                await client.DisposeAsync();
        }

        async Task<ChaosVerdict> PlayAsync()
        {
            var areJoined = options.CallersPerClient > 1;
            for (var i = 0; i < options.Callers; i += options.CallersPerClient)
                clients.Add(VmoClient.Connect(new() { Endpoints = [.. Enumerable.Range(i, Silos).Select(n => lab.Cluster.Silos[n % Silos].Endpoint)], Deadline = options.Deadline, JoinCalls = areJoined }));
            var families = new List<PlayedFamily>();
            for (var i = 0; i < options.Families; i++)
                families.Add(await CreateAsync(clients[i % clients.Count], recorder));
            var ended = new EndedHandles();
            var opened = clients.Select(client => new OpenVmos(client, areJoined)).ToList();
            var callers = Enumerable.Range(0, options.Callers).Select(i => new Caller(i, options.Seed + i, opened[i / options.CallersPerClient], families, ended, recorder, options.MayLose)).ToArray();
            using var retries = new Retries();
            var calling = Task.WhenAll(callers.Select(caller => caller.RunAsync(options.CallsMost, stop.Token)));
            driving = driver.RunAsync(schedule, stop.Token);
            try
            {
                await Task.WhenAny(driving.ContinueWith(_ => Task.Delay(Left(options, schedule), stop.Token), TaskScheduler.Default).Unwrap(), calling);
            }
            finally
            {
                await stop.CancelAsync();
            }

            await calling;
            var toldToWait = retries.ToldToWait;
            await driving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            IEnumerable<string> undone = (driving.Exception?.Flatten().InnerExceptions ?? []).Select(failure => $"a fault could not be done: {failure.Message}");
            supervising = driver.SuperviseAsync(end.Token);
            var longest = recorder.Longest;
            var (healed, healedBy) = (Stopwatch.GetTimestamp(), DateTimeOffset.UtcNow + options.HealedWithin);
            log("the callers have ended; reading all cells");
            var lost = await Task.WhenAll(callers.Select((caller, i) => ReadAllAsync(caller, [.. families.Where((_, at) => at % callers.Length == i)]))).WaitAsync(options.HealedWithin);
            log(string.Create(CultureInfo.InvariantCulture, $"all cells were read {Stopwatch.GetElapsedTime(healed).TotalSeconds:F1} s after the last fault; scrubbing"));
            var gone = options.MayLose ? [] : lost.SelectMany(some => some).Select(vmo => $"VMO {vmo.Koid} is gone, and nobody has closed it");
            var damage = await ScrubAsync(lab.Cluster.Silos[0], options.MayLose, healedBy, log);
            var charges = await Charges.CheckAsync(lab.Store, clients[0], families, healedBy, log);
            // A close that was lost is nobody's to repeat.
            var left = options.MayLose ? [] : await CloseAllAsync(lab, clients[0], families);
            await end.CancelAsync();
            await supervising;
            var checking = Stopwatch.GetTimestamp();
            var history = options.MayLose ? LinearizabilityChecker.Torn(recorder.Events) : LinearizabilityChecker.Check(recorder.Events);
            log(string.Create(CultureInfo.InvariantCulture, $"checked in {Stopwatch.GetElapsedTime(checking).TotalSeconds:F1} s: {history}"));
            var (snapshots, signals, handles) = options.MayLose ? (new([], 0, 0), new([], 0, 0, 0, 0), new([], 0, 0))
                : (SnapshotChecker.Check(recorder.Events), recorder.CheckSignals(options.SignalLateBy, options.Deadline + CloneLateBy), recorder.CheckHandles());
            var verdict = new ChaosVerdict(history, snapshots, signals, handles, [.. damage, .. gone, .. charges, .. left, .. undone], [.. recorder.Lines], longest, options.Deadline, driver.Done, schedule)
            {
                Unanswered = recorder.Unanswered,
                Unexplained = recorder.Unexplained,
                Operations = recorder.Operations,
                LeftWith = driver.LeftWith,
                ToldToWait = toldToWait,
            };
            if (!verdict.IsFine)
                log($"what there is of it is in {await Evidence.KeepAsync(lab, verdict.ToString(), recorder.Events)}");
            return verdict;
        }
    }

    private static TimeSpan Left(ChaosOptions options, IReadOnlyList<Fault> schedule)
    {
        var left = options.Length - (schedule.Count == 0 ? TimeSpan.Zero : schedule.Max(fault => fault.End));
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private static async Task<PlayedFamily> CreateAsync(VmoClient client, Recorder recorder)
    {
        var began = Stopwatch.GetTimestamp();
        var root = await client.CreateAsync(Cells.VmoBytes);
        recorder.Add(new HistoryEvent { Kind = HistoryKind.Create, Outcome = HistoryOutcome.Ok, Began = began, Ended = Stopwatch.GetTimestamp(), Vmo = root.Koid.Value });
        return new(root);
    }

    // VMOs that nobody has closed and that are not there.
    private static async Task<List<Vmo>> ReadAllAsync(Caller caller, List<PlayedFamily> families)
    {
        var lost = new List<Vmo>();
        foreach (var family in families)
        {
            foreach (var vmo in family.All)
            {
                var isThere = true;
                for (var cell = 0; cell < Cells.Count; cell++)
                    isThere &= await caller.ReadAtLastAsync(vmo, cell);
                if (isThere)
                    continue;
                lost.Add(vmo);
                family.Remove(vmo);
            }
        }

        return lost;
    }

    // When all is closed, Redis holds nothing of it: what a crash leaves is collected, a handle that nobody was told of within a minute.
    private static async Task<IReadOnlyList<string>> CloseAllAsync(ClusterLab lab, VmoClient client, List<PlayedFamily> families)
    {
        foreach (var vmo in families.SelectMany(family => family.All))
            await client.Open(vmo.Handle).CloseAsync();
        foreach (var vmo in families.SelectMany(family => family.PerhapsClosed))
        {
            try
            {
                await client.Open(vmo.Handle).CloseAsync();
            }
            catch (VmoException gone) when (gone.Status == VmoStatus.BadHandle)
            {
                // The close that was not answered had been done.
            }
        }

        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            var left = new List<string>();
            foreach (var primary in await lab.Store.PrimariesAsync())
                left.AddRange((await primary.KeysAsync("vmo:{*}:*")).Where(key => LastingKeys().IsMatch(key)));
            if (left.Count == 0 || Stopwatch.GetElapsedTime(began) > GoneWithin)
                return [.. left.Take(20).Select(key => $"{key} is left when all is closed, one of {left.Count} keys")];
            await Task.Delay(TimeSpan.FromSeconds(1));
        }
    }

    // Records, layers and blobs; tombstones go by themselves.
    [GeneratedRegex(@"^vmo:\{\d+\}:(v$|l:|b:)")]
    private static partial Regex LastingKeys();

    // What the last faults left is put in order by itself, in the background: it is looked at until nothing is found.
    // Where Redis itself has lost calls, blobs may stay behind that nobody frees: they are told, and not judged.
    private static async Task<IReadOnlyList<string>> ScrubAsync(SiloProcess silo, bool mayLose, DateTimeOffset until, Action<string> log)
    {
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(60), OperatorToken = silo.OperatorToken });
        while (true)
        {
            var (found, left) = (new List<string>(), 0);
            await foreach (var finding in client.ScrubAsync())
            {
                if (mayLose && finding.What == "orphan-blob")
                    left++;
                else
                    found.Add(finding.ToString());
            }

            if (left > 0)
                log($"{left} blobs that nobody frees");
            if (found.Count == 0 || DateTimeOffset.UtcNow > until)
                return found;
            log($"{found.Count} findings, of which the first is: {found[0]}");
            await Task.Delay(TimeSpan.FromSeconds(2));
        }
    }
}
