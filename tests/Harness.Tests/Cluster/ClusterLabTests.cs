using System.Collections.Concurrent;
using System.Diagnostics;
using VmoCluster.Client;
using Xunit;
using Xunit.Abstractions;

namespace VmoCluster.Harness.Tests.Cluster;

/// <summary>Three silos and a Redis, in a network of their own where there is one, called by a client outside of it.</summary>
public sealed class ClusterLabTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(3);
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(5) };

    /// <param name="isAsAllowed">By what the machine allows; else by the proxies alone, as where it allows nothing.</param>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_silo_cut_off_from_Redis_stops_serving_and_comes_back_by_itself(bool isAsAllowed)
    {
        await using var lab = await ClusterLab.StartAsync(3, inNetwork: isAsAllowed ? null : false);
        output.WriteLine(lab.Network is null ? $"by proxies: {NetworkLab.Impossible ?? "asked for"}" : "in a network of its own");
        var (cut, process) = (lab.Cluster.Silos[0], lab.Cluster.Silos[0].ProcessId);
        await using var through = Connect(cut);
        await using var beside = Connect(lab.Cluster.Silos[1], lab.Cluster.Silos[2]);
        var vmos = new List<Vmo>();
        for (var i = 0; i < 12; i++)
        {
            vmos.Add(await NewVmoAsync(through, "before"));
            await Eventually.UntilAsync("it is shown beside", async () => await TryReadAsync(beside.Open(vmos[i].Handle)) == "before");
        }

        lab.CutFromRedis(0);
        var began = Stopwatch.GetTimestamp();
        await Eventually.UntilAsync("it says that it does not serve", async () => !await IsReadyAsync(cut));
        output.WriteLine($"it says so {Stopwatch.GetElapsedTime(began).TotalSeconds:F1} s after the cut");

        // Longer than a lease and a death, so that it has nothing left to go on with. A VMO that lives on it may be refused all that time.
        var acked = vmos.ToDictionary(vmo => vmo.Koid, _ => "before");
        var (shown, refused) = (0, 0);
        while (Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(12))
        {
            Assert.False(await IsReadyAsync(cut));
            foreach (var vmo in vmos)
            {
                if (await TryWriteAsync(beside.Open(vmo.Handle), "after"))
                {
                    acked[vmo.Koid] = "after";
                }

                if (await ShowsOrRefusesAsync(through.Open(vmo.Handle), acked[vmo.Koid], late => late == "after"))
                {
                    shown++;
                }
                else
                {
                    refused++;
                }
            }
        }

        output.WriteLine($"{acked.Values.Count(text => text == "after")} of {vmos.Count} VMOs written beside it; {shown} reads through it shown, {refused} refused");
        // Nobody waits for it to heal: the others have taken its VMOs over, or do when asked.
        foreach (var vmo in vmos)
        {
            await Eventually.UntilAsync("it is written beside", async () => await TryWriteAsync(beside.Open(vmo.Handle), "taken over"));
            acked[vmo.Koid] = "taken over";
        }

        // Each client has its shard of the registry, and some shards were on the silo that is cut off.
        for (var i = 0; i < 12; i++)
        {
            await using var another = Connect(lab.Cluster.Silos[1], lab.Cluster.Silos[2]);
            Vmo? made = null;
            await Eventually.UntilAsync("a VMO is made beside", async () => (made = await TryCreateAsync(another)) is not null);
            await Eventually.UntilAsync("and cloned", async () => await TryCloneAsync(made!) is not null);
        }

        output.WriteLine($"all are written beside it, and new ones made, {Stopwatch.GetElapsedTime(began).TotalSeconds:F1} s after the cut");
        began = Stopwatch.GetTimestamp();
        lab.Heal(0);
        await Eventually.UntilAsync("it serves again", async () => await IsReadyAsync(cut));
        foreach (var vmo in vmos)
        {
            await Eventually.UntilAsync("calls through it are answered", async () => await TryWriteAsync(through.Open(vmo.Handle), "healed"));
            await Eventually.UntilAsync("and shown beside", async () => await TryReadAsync(beside.Open(vmo.Handle)) == "healed");
        }

        output.WriteLine($"serves {Stopwatch.GetElapsedTime(began).TotalSeconds:F1} s after it healed");
        Assert.False(cut.HasExited);
        Assert.Equal(process, cut.ProcessId);
    }

    [Fact]
    public async Task A_silo_that_the_others_do_not_reach_leads_to_no_read_of_the_past()
    {
        await using var lab = await ClusterLab.StartAsync(3);
        await using var first = Connect(lab.Cluster.Silos[0]);
        await using var second = Connect(lab.Cluster.Silos[1]);
        var vmos = new List<Vmo>();
        for (var i = 0; i < 8; i++)
        {
            vmos.Add(await NewVmoAsync(i % 2 == 0 ? first : second, "0"));
        }

        // Where nothing can come between silos, the first stands still instead: to the others it is the same.
        if (lab.Network is null)
        {
            output.WriteLine($"paused instead: {NetworkLab.Impossible}");
            lab.Cluster.Silos[0].Pause();
        }
        else
        {
            lab.CutFromSilos(0);
        }

        var counts = await Task.WhenAll(vmos.Select(vmo => WriteAndReadAcrossAsync(vmo, first, second, TimeSpan.FromSeconds(20))));
        var (written, shown) = (counts.Sum(count => count.Written), counts.Sum(count => count.Shown));
        output.WriteLine($"{written} writes acknowledged: {shown} shown by the other side, {written - shown} refused there");
        Assert.True(written > 0, "no write was acknowledged by either side");
        if (lab.Network is null)
        {
            lab.Cluster.Silos[0].Resume();
        }

        lab.Heal(0);
        if (lab.Cluster.Silos[0].HasExited)
        {
            output.WriteLine($"the silo has ended with {lab.Cluster.Silos[0].ExitCode}");
            await lab.Cluster.Silos[0].RestartAsync();
        }

        foreach (var vmo in vmos)
        {
            await Eventually.UntilAsync("both sides show the same", async () =>
                await TryWriteAsync(first.Open(vmo.Handle), "healed") && await TryReadAsync(second.Open(vmo.Handle)) == "healed");
        }
    }

    // Each write is acknowledged or not; if it is, whoever reads later shows it, or refuses.
    private static async Task<(int Written, int Shown)> WriteAndReadAcrossAsync(Vmo vmo, VmoClient first, VmoClient second, TimeSpan time)
    {
        var (began, written, shown, unknown) = (Stopwatch.GetTimestamp(), 0, 0, new HashSet<string>());
        for (var round = 1; Stopwatch.GetElapsedTime(began) < time; round++)
        {
            var (writer, reader) = round % 2 == 0 ? (first, second) : (second, first);
            var text = $"{round}";
            if (!await TryWriteAsync(writer.Open(vmo.Handle), text))
            {
                unknown.Add(text);
                continue;
            }

            written++;
            shown += await ShowsOrRefusesAsync(reader.Open(vmo.Handle), text, unknown.Contains) ? 1 : 0;
        }

        return (written, shown);
    }

    [Fact]
    public async Task The_driver_does_every_kind_of_fault_and_leaves_all_running()
    {
        await using var lab = await ClusterLab.StartAsync(3);
        var lines = new ConcurrentQueue<string>();
        var driver = new FaultDriver(lab, lines.Enqueue);
        await using var client = Connect([.. lab.Cluster.Silos]);
        var vmo = await NewVmoAsync(client, "made before");

        // One after the other, each for a second; silos take what time they need in between.
        var kinds = lab.Kinds.Where(kind => kind != FaultKind.RollingRestart).ToList();
        var schedule = kinds.Select((kind, i) => new Fault(TimeSpan.FromSeconds(4 * i), kind, i % 3, TimeSpan.FromSeconds(1), Seed: i)).ToList();
        schedule.Add(new(TimeSpan.FromSeconds(4 * kinds.Count), FaultKind.RollingRestart, Fault.NoTarget, TimeSpan.FromSeconds(1), Seed: 0));
        try
        {
            await driver.RunAsync(schedule);
        }
        finally
        {
            foreach (var line in lines)
            {
                output.WriteLine(line);
            }
        }

        Assert.Equal(schedule.Count, driver.Done);
        Assert.All(schedule, fault => Assert.Single(lines, line => line.Contains($"ended  {fault}", StringComparison.Ordinal)));
        Assert.All(lab.Cluster.Silos, silo => Assert.False(silo.HasExited));
        foreach (var silo in lab.Cluster.Silos)
        {
            await Eventually.UntilAsync("each serves", () => IsReadyAsync(silo));
        }

        // What the cut-off end of the file had in it may be gone, the VMO with it; the cluster is not.
        var fresh = await NewVmoAsync(client, "fresh");
        await Eventually.UntilAsync("it is read", async () => await TryReadAsync(fresh) == "fresh");
        output.WriteLine($"the VMO made before: {await TryReadAsync(vmo) ?? "refused"}");
    }

    // True if it shows it, false if it refuses, within the deadline and a second. Anything else is a read of the past, but for a write that was
    // given up by its caller: it may be done at any later time.
    private static async Task<bool> ShowsOrRefusesAsync(Vmo vmo, string text, Func<string, bool>? mayComeLate = null)
    {
        var began = Stopwatch.GetTimestamp();
        var shown = await TryReadAsync(vmo);
        var took = Stopwatch.GetElapsedTime(began);
        Assert.True(took < Deadline + TimeSpan.FromSeconds(1), $"it took {took.TotalSeconds:F1} s");
        Assert.True(shown is null || shown == text || mayComeLate?.Invoke(shown) == true, $"'{shown}' is shown after '{text}' was acknowledged");
        return shown is not null;
    }

    private static VmoClient Connect(params SiloProcess[] silos) =>
        VmoClient.Connect(new() { Endpoints = [.. silos.Select(silo => silo.Endpoint)], Deadline = Deadline, ConnectTimeout = TimeSpan.FromSeconds(30) });

    private static async Task<string> ReadAsync(Vmo vmo)
    {
        var bytes = new byte[16];
        await vmo.ReadAsync(0, bytes);
        return System.Text.Encoding.UTF8.GetString(bytes).TrimEnd('\0', ' ');
    }

    private static async Task<string?> TryReadAsync(Vmo vmo)
    {
        try
        {
            return await ReadAsync(vmo);
        }
        catch (VmoException failure) when (failure.IsRetryable || failure.Status is VmoStatus.TimedOut or VmoStatus.BadHandle)
        {
            return null;
        }
    }

    // The machines are shared: what is only prepared may take more than one deadline.
    private static async Task<Vmo> NewVmoAsync(VmoClient client, string text)
    {
        Vmo? vmo = null;
        await Eventually.UntilAsync("a VMO is made", async () => (vmo = await TryCreateAsync(client)) is not null);
        await Eventually.UntilAsync("it is written", () => TryWriteAsync(vmo!, text));
        return vmo!;
    }

    private static async Task<Vmo?> TryCreateAsync(VmoClient client)
    {
        try
        {
            return await client.CreateAsync(Limits.PageBytes);
        }
        catch (VmoException failure) when (failure.IsRetryable || failure.Status is VmoStatus.TimedOut)
        {
            return null;
        }
    }

    private static async Task<Vmo?> TryCloneAsync(Vmo vmo)
    {
        try
        {
            return await vmo.CloneAsync();
        }
        catch (VmoException failure) when (failure.IsRetryable || failure.Status is VmoStatus.TimedOut)
        {
            return null;
        }
    }

    private static async Task<bool> TryWriteAsync(Vmo vmo, string text)
    {
        try
        {
            await vmo.WriteAsync(0, System.Text.Encoding.UTF8.GetBytes(text.PadRight(16)));
            return true;
        }
        catch (VmoException failure) when (failure.IsRetryable || failure.Status is VmoStatus.TimedOut)
        {
            return false;
        }
    }

    private static async Task<bool> IsReadyAsync(SiloProcess silo)
    {
        try
        {
            using var answer = await Http.GetAsync(new Uri(silo.Http, "/health/ready"));
            return answer.IsSuccessStatusCode;
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
        {
            return false;
        }
    }
}
