using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>A store that is another one, was emptied, or is an old copy: at the start of a silo and under a running one.</summary>
[Collection(NodeCollection.Name)]
public sealed class StrangeStoreTests : IAsyncLifetime
{
    private const int StartupError = 1;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(3);
    private readonly string _data = Directory.CreateTempSubdirectory("vmo-seen-").FullName;

    private RedisServer _redis = null!;

    public async Task InitializeAsync() => _redis = await RedisServer.StartAsync(["appendonly yes", "appendfsync always"]);

    public async Task DisposeAsync()
    {
        await _redis.DisposeAsync();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task A_running_silo_answers_nothing_and_writes_nothing_while_its_store_is_an_empty_one_and_goes_on_when_it_is_back()
    {
        await using var silo = await SiloProcess.StartAsync(new() { Redis = _redis.Configuration });
        await using var client = Nodes.Connect(silo.Endpoint);
        var vmo = (await client.CreateAsync(1 << 20)).WithDeadline(Deadline);
        await vmo.WriteAsync(0, "kept"u8.ToArray());
        var copy = await CopyAsync();

        await _redis.CommandAsync("FLUSHALL");
        await Eventually.UntilAsync("the silo is not ready", async () => (await Nodes.GetAsync(silo, "/health/ready")).Code == 503);
        Assert.Contains("it was emptied", (await Nodes.GetAsync(silo, "/health/ready")).Text, StringComparison.Ordinal);
        await FailsInTimeAsync(() => vmo.ReadAsync(0, new byte[4]));
        await FailsInTimeAsync(() => vmo.WriteAsync(0, "lost"u8.ToArray()));
        await FailsInTimeAsync(() => vmo.GetSizeAsync());
        await using var hasty = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = Deadline });
        await FailsInTimeAsync(() => hasty.CreateAsync(4096));
        Assert.Empty(await _redis.KeysAsync());

        await RestoreAsync(copy);
        await Eventually.UntilAsync("the silo is ready", async () => (await Nodes.GetAsync(silo, "/health/ready")).Code == 200);
        Assert.Equal("kept", await ReadAsync(vmo));
        await vmo.WriteAsync(0, "more"u8.ToArray());
        Assert.Equal("more", await ReadAsync(vmo));
        Assert.Equal(2, silo.Log.Split("Nothing of the store is used").Length);
    }

    // The address of a running silo's store is given to another one, or to a copy of long ago.
    [Theory]
    [InlineData("store", "answers at its address")]
    [InlineData("beat", " s behind what this silo has seen of it, more than 60 s: an old copy of it answers")]
    public async Task A_running_silo_uses_nothing_of_another_store_or_an_old_copy_that_came_to_its_address_and_goes_on_when_its_own_is_back(string field, string why)
    {
        await using var silo = await SiloProcess.StartAsync(new() { Redis = _redis.Configuration });
        await using var client = Nodes.Connect(silo.Endpoint);
        var vmo = (await client.CreateAsync(1 << 20)).WithDeadline(Deadline);
        await vmo.WriteAsync(0, "kept"u8.ToArray());
        // With the second renewal it has seen the first; who has seen nothing yet takes no copy for old.
        await Eventually.UntilAsync("two renewals", async () => (await _redis.CommandAsync("HGET", "vmo:{sessions}", "beat")).Split("\r\n") is [_, { Length: > 0 } beat, ..] && int.Parse(beat.Split(' ')[0], CultureInfo.InvariantCulture) >= 2);
        var (own, strange) = (await CopyAsync(), await CopyAsync());
        await SetAsync(strange, field, field == "store" ? new string('0', 32) : string.Create(CultureInfo.InvariantCulture, $"1 {DateTimeOffset.UtcNow.AddSeconds(-90).ToUnixTimeMilliseconds()}"));

        await RestoreAsync(strange);
        await Eventually.UntilAsync("the silo is not ready", async () => (await Nodes.GetAsync(silo, "/health/ready")) is { Code: 503 } page && page.Text.Contains(why, StringComparison.Ordinal));
        // Its lease ends in the turn after the look that has found it.
        await Eventually.UntilAsync("a read is refused", async () => await FailureAsync(vmo.ReadAsync(0, new byte[4])) is not null);
        var before = await WholeAsync();
        await FailsInTimeAsync(() => vmo.ReadAsync(0, new byte[4]), why);
        await FailsInTimeAsync(() => vmo.WriteAsync(0, "lost"u8.ToArray()), why);
        await FailsInTimeAsync(() => vmo.CloneAsync(), why);
        await FailsInTimeAsync(() => vmo.GetSizeAsync(), why);
        Assert.Equal(before, await WholeAsync());

        await RestoreAsync(own);
        await Eventually.UntilAsync("the silo is ready", async () => (await Nodes.GetAsync(silo, "/health/ready")).Code == 200);
        Assert.Equal("kept", await ReadAsync(vmo));
        await vmo.WriteAsync(0, "more"u8.ToArray());
        Assert.Equal("more", await ReadAsync(vmo));
    }

    [Fact]
    public async Task A_Redis_that_comes_back_some_seconds_behind_is_taken_and_what_it_has_lost_is_counted_and_logged()
    {
        await using var silo = await SiloProcess.StartAsync(new() { Redis = _redis.Configuration });
        await using var client = Nodes.Connect(silo.Endpoint);
        var vmo = await client.CreateAsync(1 << 20);
        await vmo.WriteAsync(0, "kept"u8.ToArray());
        Assert.Equal(0, await SiloFigures.SumAsync(silo, "vmo_store_setbacks_total"));
        var copy = await CopyAsync();
        await vmo.WriteAsync(0, "lost"u8.ToArray());
        await Task.Delay(TimeSpan.FromSeconds(6));

        await RestoreAsync(copy);
        await Eventually.UntilAsync("the loss is counted", async () => await SiloFigures.SumAsync(silo, "vmo_store_setbacks_total") == 1);
        Assert.InRange(await SiloFigures.SumAsync(silo, "vmo_store_lost_seconds_total"), 4, 60);
        Assert.Contains("The store has lost about", silo.Log, StringComparison.Ordinal);
        // It goes by what the store has, and not by what it remembers.
        await Eventually.UntilAsync("the silo is ready", async () => (await Nodes.GetAsync(silo, "/health/ready")).Code == 200);
        Assert.Equal("kept", await ReadAsync(vmo));
    }

    [Fact]
    public async Task Calls_in_the_second_before_a_silo_has_seen_that_its_store_was_emptied_acknowledge_nothing_and_write_nothing()
    {
        await using var silo = await SiloProcess.StartAsync(new() { Redis = _redis.Configuration });
        await using var client = Nodes.Connect(silo.Endpoint);
        var vmo = await client.CreateAsync(1 << 20);
        await vmo.WriteAsync(0, Noise());
        await using var hasty = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromMilliseconds(300) });
        for (var i = 0; i < 3; i++)
        {
            var copy = await CopyAsync();
            await _redis.CommandAsync("FLUSHALL");
            var began = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(1.5))
            {
                var write = vmo.WithDeadline(TimeSpan.FromMilliseconds(300)).WriteAsync(0, Noise());
                var create = hasty.CreateAsync(4096);
                var failures = await Task.WhenAll(FailureAsync(write), FailureAsync(create));
                Assert.All(failures, failure => Assert.True(failure is VmoStatus.Io or VmoStatus.TimedOut or VmoStatus.ShouldWait, $"{failure}"));
            }

            // A blob is no commit; nobody ever names it.
            Assert.DoesNotContain(await _redis.KeysAsync(), key => !key.Contains(":b:", StringComparison.Ordinal));
            await RestoreAsync(copy);
            await Eventually.UntilAsync("a write is taken again", async () => await FailureAsync(vmo.WithDeadline(Deadline).WriteAsync(0, Noise())) is null);
        }
    }

    [Fact]
    public async Task A_start_on_an_emptied_another_or_an_old_store_is_refused_and_says_how_to_take_it()
    {
        var options = new SiloOptions { Redis = _redis.Configuration, Data = _data };
        await RunAsync(options);
        var (first, file) = (await IdAsync(), Path.Combine(_data, "store-seen"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));

        // Old: what was seen is 90 s later than what is there; 30 s would be taken.
        var seen = JsonNode.Parse(await File.ReadAllTextAsync(file))!;
        var at = seen["At"]!.GetValue<DateTimeOffset>();
        await RememberAsync(file, seen, at.AddSeconds(90));
        await RefusedAsync(options, " s behind", $"--accept-store {first}");
        await RememberAsync(file, seen, at.AddSeconds(30));
        Assert.Matches(@"is (2\d|30)\.\d s behind what this node has seen", await RunAsync(options));

        await RememberAsync(file, seen, at.AddHours(1));
        await RunAsync(options with { Arguments = ["--accept-store", first] });
        await RunAsync(options);

        // Another prefix is another store.
        await RefusedAsync(options with { Prefix = "vmp:" }, "has no identity", first);
        await _redis.CommandAsync("FLUSHALL");
        await RefusedAsync(options, "has no identity", first, "--accept-store new");
        await RefusedAsync(new() { Redis = _redis.Configuration, Arguments = ["--store-id", first] }, "has no identity", first);
        Assert.Empty(await _redis.KeysAsync());

        // Another: somebody else has begun one there.
        await RunAsync(new() { Redis = _redis.Configuration });
        var second = await IdAsync();
        await RefusedAsync(options, $"id is {second}", first, $"--accept-store {second}");
        await RunAsync(options with { Arguments = ["--accept-store", second] });
        await RunAsync(options);
    }

    // Zeros over zeros would be no change.
    private static byte[] Noise()
    {
        var bytes = new byte[8192];
        Random.Shared.NextBytes(bytes);
        return bytes;
    }

    // By SIGTERM: a killed one is waited for by the next.
    private static async Task<string> RunAsync(SiloOptions options)
    {
        await using var silo = await SiloProcess.StartAsync(options);
        Assert.Equal(0, await silo.StopAsync());
        return silo.Log;
    }

    private static async Task RememberAsync(string file, JsonNode seen, DateTimeOffset at)
    {
        (seen["At"], seen["Beats"]) = (at, seen["Beats"]!.GetValue<ulong>() + 1000);
        await File.WriteAllTextAsync(file, seen.ToJsonString());
    }

    private static async Task FailsInTimeAsync(Func<Task> call, string why = "not the store the silo works on")
    {
        VmoException failure;
        var (began, tries) = (0L, 0);
        do
        {
            // What the deadline cuts off in its last attempt is TimedOut, and says nothing of the store.
            began = Stopwatch.GetTimestamp();
            failure = await Assert.ThrowsAsync<VmoException>(call);
        }
        while (failure.Status == VmoStatus.TimedOut && ++tries < 3);
        Assert.True(failure.Status == VmoStatus.Io, $"{failure.Status}: {failure.Message}");
        Assert.Contains(why, failure.Message, StringComparison.Ordinal);
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, Deadline + TimeSpan.FromSeconds(1));
    }

    private static async Task<VmoStatus?> FailureAsync(Task call)
    {
        try
        {
            await call;
            return null;
        }
        catch (VmoException failure)
        {
            return failure.Status;
        }
    }

    private static async Task RefusedAsync(SiloOptions options, params string[] words)
    {
        var refusal = await SiloProcess.RefuseAsync(options);
        Assert.True(refusal.ExitCode == StartupError, $"exit {refusal.ExitCode}:\n{refusal.Output}");
        foreach (var word in words)
        {
            Assert.Contains(word, refusal.Output, StringComparison.Ordinal);
        }
    }

    private static async Task<string> ReadAsync(Vmo vmo)
    {
        var bytes = new byte[4];
        await vmo.ReadAsync(0, bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private async Task<string> IdAsync() => (await _redis.CommandAsync("HGET", "vmo:store", "id")).Split("\r\n")[1];

    // What the append-only file has at this moment; it is forced out with each write.
    private async Task<string> CopyAsync()
    {
        var copy = Path.Combine(_data, DateTime.UtcNow.Ticks.ToString(CultureInfo.InvariantCulture));
        var log = Path.Combine(_redis.Folder, "appendonlydir");
        Directory.CreateDirectory(copy);
        foreach (var file in Directory.GetFiles(log))
        {
            await using var from = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            await using var to = File.Create(Path.Combine(copy, Path.GetFileName(file)));
            await from.CopyToAsync(to);
        }

        return copy;
    }

    // What a copy says of its store is changed by one more command at the end of its log.
    private static async Task SetAsync(string copy, string field, string value)
    {
        var log = Directory.GetFiles(copy, "*.incr.aof").Single();
        string[] words = ["HSET", "vmo:{sessions}", field, value];
        await File.AppendAllTextAsync(log, $"*{words.Length}\r\n{string.Concat(words.Select(word => $"${word.Length}\r\n{word}\r\n"))}");
    }

    // All keys, and all that is known of the sessions.
    private async Task<string> WholeAsync() =>
        string.Join('\n', await _redis.KeysAsync()) + await _redis.CommandAsync("HGETALL", "vmo:{sessions}");

    private async Task RestoreAsync(string copy)
    {
        await _redis.KillAsync();
        var log = Path.Combine(_redis.Folder, "appendonlydir");
        Directory.Delete(log, recursive: true);
        Directory.Move(copy, log);
        await _redis.RestartAsync();
    }
}
