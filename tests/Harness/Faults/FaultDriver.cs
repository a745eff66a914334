using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace VmoCluster.Harness;

/// <summary>
/// Does a schedule's faults to a cluster, and notes what it did when. A silo that ends by itself, as one may that the others have given up, it
/// starts again, as any supervisor does. When it has ended, all silos and Redis run and no fault is left.
/// </summary>
/// <param name="lab">The cluster.</param>
/// <param name="log">Takes a line at a time, from several threads.</param>
public sealed class FaultDriver(ClusterLab lab, Action<string> log)
{
    private const int PercentLost = 20;

    // Commits of some pages, and answers of some slots.
    private const int CutWithin = 64 << 10;

    private static readonly TimeSpan BackWithin = TimeSpan.FromSeconds(120);
    private static readonly string[] LastWords = ["crit: ", "FailFast", "Unhandled exception", "vmo node: "];

    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly Lock _lock = new();

    // The last fault of Redis that has begun.
    private Task _ofRedis = Task.CompletedTask;

    // Silos that somebody here has ended, or is ending, and starts again; one at a time of each.
    private readonly HashSet<SiloProcess> _ended = [];
    private readonly ConcurrentDictionary<SiloProcess, SemaphoreSlim> _turns = new();
    private readonly ConcurrentQueue<int> _leftWith = new();
    private int _done;

    // Bytes of the append-only file when the schedule began, with the store's identity in them, and then as time went on: a crash does not take what was forced out long before.
    private readonly Queue<(long At, long Bytes)> _lengths = [];

    /// <summary>How many faults were done whole.</summary>
    public int Done => _done;

    /// <summary>The exit codes of silos that were stopped by SIGTERM, in that order.</summary>
    public IReadOnlyList<int> LeftWith => [.. _leftWith];

    /// <summary>What comes later between a silo and Redis, and up to as much again by chance.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>A cut append-only file has lost no more than this, and nothing of before the schedule.</summary>
    public TimeSpan CutMost { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Does them. Throws what went wrong with the harness itself, once all are healed. Cancelled, it begins no more faults, and heals.</summary>
    public async Task RunAsync(IReadOnlyList<Fault> schedule, CancellationToken cancel = default)
    {
        if (schedule.FirstOrDefault(fault => !lab.Kinds.Contains(fault.Kind)) is { } impossible)
            throw new ArgumentException($"{impossible.Kind} is not possible here.", nameof(schedule));
        var (began, running) = (Stopwatch.GetTimestamp(), new List<Task>());
        using var over = new CancellationTokenSource();
        var supervising = SuperviseAsync(over.Token);
        var measuring = schedule.Any(fault => fault.Kind == FaultKind.Truncate) ? MeasureLogAsync(over.Token) : Task.CompletedTask;
        foreach (var fault in schedule)
        {
            if (!await SleptAsync(fault.At - Stopwatch.GetElapsedTime(began), cancel))
                break;
            running.Add(DoAsync(fault, cancel));
        }

        try
        {
            await Task.WhenAll(running);
        }
        finally
        {
            await over.CancelAsync();
            await supervising;
            await measuring;
        }
    }

    /// <summary>Starts silos again that end by themselves, also when no schedule runs any more; until it is cancelled.</summary>
    public async Task SuperviseAsync(CancellationToken over)
    {
        bool isOver;
        do
        {
            isOver = !await SleptAsync(TimeSpan.FromMilliseconds(250), over);
            foreach (var silo in lab.Cluster.Silos.Where(IsEndedByItself))
            {
                Note($"        {silo.Endpoint} has ended by itself with {silo.ExitCode} and is started again: {LastWordsOf(silo)}");
                // Another may have started it meanwhile.
                await RestartAsync(silo, () => silo.HasExited ? silo.RestartAsync() : Task.CompletedTask);
            }
        }
        while (!isOver);
    }

    // What the runtime prints when a program ends itself, and what the program says of it.
    private static string LastWordsOf(SiloProcess silo) =>
        silo.Log.Split('\n').LastOrDefault(line => LastWords.Any(word => line.Contains(word, StringComparison.Ordinal))) is { } line ? line[..Math.Min(line.Length, 300)] : "it said nothing";

    private bool IsEndedByItself(SiloProcess silo)
    {
        lock (_lock)
            return silo.HasExited && !_ended.Contains(silo);
    }

    // One that is not back yet when Redis is away may take more than one start, as under any supervisor.
    private async Task RestartAsync(SiloProcess silo, Func<Task> restart)
    {
        var turn = _turns.GetOrAdd(silo, _ => new(1));
        await turn.WaitAsync();
        lock (_lock)
            _ended.Add(silo);
        try
        {
            await restart();
        }
        catch (Exception failure) when (failure is InvalidOperationException or Win32Exception)
        {
            Note($"        {silo.Endpoint} did not start: {failure.Message.Split('\n')[0]}");
        }
        finally
        {
            lock (_lock)
                _ended.Remove(silo);
            turn.Release();
        }
    }

    private async Task DoAsync(Fault fault, CancellationToken cancel)
    {
        Note($"begins {fault}");
        try
        {
            await (fault.Kind switch
            {
                FaultKind.Kill => KillAsync(lab.Cluster.Silos[fault.Target], fault, cancel),
                FaultKind.Pause => PauseAsync(lab.Cluster.Silos[fault.Target], fault, cancel),
                FaultKind.Partition => DuringAsync(fault, () => lab.CutFromRedis(fault.Target), () => lab.Heal(fault.Target), cancel),
                FaultKind.OneWayPartition => DuringAsync(fault, () => lab.CutFromSilos(fault.Target, isOneWay: true), () => lab.Heal(fault.Target), cancel),
                FaultKind.Isolate => DuringAsync(fault, () => lab.CutFromSilos(fault.Target), () => lab.Heal(fault.Target), cancel),
                FaultKind.Delay => DuringAsync(fault, () => lab.DelayRedis(fault.Target, Delay, fault.Seed), () => lab.Heal(fault.Target), cancel),
                FaultKind.Loss => DuringAsync(fault, () => lab.LosePackets(fault.Target, PercentLost), () => lab.Heal(fault.Target), cancel),
                FaultKind.HalfOpen => DuringAsync(fault, () => lab.WayToRedis(fault.Target).Stall(), () => lab.Heal(fault.Target), cancel),
                FaultKind.CutMidFrame => CutAsync(lab.WayToRedis(fault.Target), fault, cancel),
                FaultKind.ClientCut => CutAsync(lab.WayToClients(fault.Target), fault, cancel),
                FaultKind.RedisKill => InTurnAsync(() => KillRedisAsync(fault, isTruncated: false, cancel)),
                FaultKind.RedisPause => InTurnAsync(() => PauseRedisAsync(fault, cancel)),
                FaultKind.FailOver => InTurnAsync(() => FailOverAsync(fault)),
                FaultKind.Truncate => InTurnAsync(() => KillRedisAsync(fault, isTruncated: true, cancel)),
                FaultKind.RollingRestart => RollAsync(),
                _ => throw new UnreachableException(),
            });
            Interlocked.Increment(ref _done);
            Note($"ended  {fault}");
        }
        catch (Exception failure)
        {
            Note($"FAILED {fault}: {failure.Message}");
            throw;
        }
    }

    private static async Task DuringAsync(Fault fault, Action begin, Action end, CancellationToken cancel)
    {
        begin();
        await SleptAsync(fault.Duration, cancel);
        end();
    }

    // Each time after so many bytes more, one way or the other.
    private async Task CutAsync(TcpProxy way, Fault fault, CancellationToken cancel)
    {
        var (chance, cuts, began) = (new Random(fault.Seed), 0, Stopwatch.GetTimestamp());
        var before = way.Cuts;
        while (Stopwatch.GetElapsedTime(began) < fault.Duration)
        {
            way.CutAfter(chance.Next(1, CutWithin), chance.Next(2) == 0 ? ProxyWay.ToServer : ProxyWay.ToClient);
            cuts++;
            if (!await SleptAsync(TimeSpan.FromMilliseconds(chance.Next(50, 500)), cancel))
                break;
        }

        way.Heal();
        Note($"        connections were cut {way.Cuts - before} times of {cuts}");
    }

    // One that has ended by itself, and is not back yet, cannot stand still.
    private static async Task PauseAsync(SiloProcess silo, Fault fault, CancellationToken cancel)
    {
        for (var began = Stopwatch.GetTimestamp(); silo.HasExited && await SleptAsync(TimeSpan.FromMilliseconds(100), cancel);)
        {
            if (Stopwatch.GetElapsedTime(began) > BackWithin)
                throw new TimeoutException($"{silo.Endpoint} has ended and is not back after {BackWithin.TotalSeconds} s.");
        }

        if (!silo.HasExited)
            await DuringAsync(fault, silo.Pause, silo.Resume, cancel);
    }

    // A restarted Redis reads its whole log before it answers, and that may take longer than the next fault is away.
    private async Task InTurnAsync(Func<Task> fault)
    {
        var (mine, before) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), Task.CompletedTask);
        lock (_lock)
            (before, _ofRedis) = (_ofRedis, mine.Task);
        await before;
        try
        {
            await fault();
        }
        finally
        {
            mine.SetResult();
        }
    }

    private Task KillAsync(SiloProcess silo, Fault fault, CancellationToken cancel) => RestartAsync(silo, async () =>
    {
        if (!silo.HasExited)
            await silo.KillAsync();
        await SleptAsync(fault.Duration, cancel);
        await silo.RestartAsync();
    });

    private async Task KillRedisAsync(Fault fault, bool isTruncated, CancellationToken cancel)
    {
        var primary = await PrimaryAsync(fault);
        await primary.KillAsync();
        if (isTruncated)
            Note($"        {AppendOnlyLog.Truncate(primary, fault.Seed, Math.Min(KeptBytes(), AppendOnlyLog.LengthOf(primary) - 1))}");
        await SleptAsync(fault.Duration, cancel);
        await primary.RestartAsync();
        await WaitUntilWholeAsync();
    }

    private async Task MeasureLogAsync(CancellationToken over)
    {
        do
        {
            var bytes = AppendOnlyLog.LengthOf(lab.Store.Nodes[0]);
            lock (_lock)
            {
                _lengths.Enqueue((Stopwatch.GetTimestamp(), bytes));
                while (_lengths.Count > 1 && Stopwatch.GetElapsedTime(_lengths.ElementAt(1).At) >= CutMost)
                    _lengths.Dequeue();
            }
        }
        while (await SleptAsync(TimeSpan.FromSeconds(1), over));
    }

    private long KeptBytes()
    {
        lock (_lock)
            return _lengths.Peek().Bytes;
    }

    private async Task PauseRedisAsync(Fault fault, CancellationToken cancel)
    {
        var primary = await PrimaryAsync(fault);
        await DuringAsync(fault, primary.Pause, primary.Resume, cancel);
        await WaitUntilWholeAsync();
    }

    private async Task FailOverAsync(Fault fault)
    {
        Note($"        a primary is now on {(await lab.Store.FailOverAsync(fault.Seed)).Configuration}");
        await WaitUntilWholeAsync();
    }

    private async Task<RedisServer> PrimaryAsync(Fault fault)
    {
        var primaries = await lab.Store.PrimariesAsync();
        return primaries[(int)((uint)fault.Seed % (uint)primaries.Count)];
    }

    // One that was replaced comes back as a replica, and is not whole at once: the next fault would find nobody to take its place.
    private Task WaitUntilWholeAsync() => lab.Store.IsReplaced ? lab.Store.WaitUntilWholeAsync() : Task.CompletedTask;

    // A silo at a time, however long each takes: a cancelled restart would leave one stopped.
    private async Task RollAsync()
    {
        foreach (var silo in lab.Cluster.Silos)
            await RestartAsync(silo, () => LeaveAsync(silo));
    }

    private async Task LeaveAsync(SiloProcess silo)
    {
        if (!silo.HasExited)
            _leftWith.Enqueue(await silo.StopAsync());
        await silo.RestartAsync();
    }

    private static async Task<bool> SleptAsync(TimeSpan time, CancellationToken cancel)
    {
        await Task.Delay(time > TimeSpan.Zero ? time : TimeSpan.Zero, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !cancel.IsCancellationRequested;
    }

    private void Note(string what) => log(string.Create(CultureInfo.InvariantCulture, $"[{Stopwatch.GetElapsedTime(_began).TotalSeconds,9:F3} s] {what}"));
}
