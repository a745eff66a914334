using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using VmoCluster.Client;
using VmoCluster.Harness;
using VmoCluster.NbdDoor;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>Who guesses learns nothing: whatever is wrong with a name, the answer is the same at the same time.</summary>
public sealed class RefusalTests(DiskNode node) : IClassFixture<DiskNode>
{
    [Fact]
    public async Task Whatever_is_wrong_with_a_name_the_same_is_said_at_the_same_time()
    {
        var vmo = await node.Client.CreateAsync(1 << 20);
        var (closed, revoked, unreadable) = (await vmo.DuplicateAsync(VmoRights.Read), await vmo.DuplicateAsync(VmoRights.Read), await vmo.DuplicateAsync(VmoRights.Write));
        await closed.CloseAsync();
        await revoked.RevokeAsync();
        var (destroyed, expired) = (await node.Client.CreateAsync(1 << 20), await vmo.DuplicateAsync(VmoRights.Read, DateTimeOffset.UtcNow.AddSeconds(1)));
        await destroyed.CloseAsync();
        await Eventually.UntilAsync("the handle has expired", async () => await StatusAsync(expired) == VmoStatus.BadHandle);
        var (time, path) = (new AwaitedTime(), node.File("refusing"));
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { TimeProvider = time });
        var good = vmo.Handle.Reveal();
        // The last two are handles as they come, of a VMO that is there and of one that never was.
        string[] names =
        [
            "", "nonsense", new('x', 4096), good + "x", good[..^1] + (good[^1] == 'a' ? 'b' : 'a'), good + "?readwrite",
            closed.Handle.Reveal(), revoked.Handle.Reveal(), unreadable.Handle.Reveal(), destroyed.Handle.Reveal(), expired.Handle.Reveal(),
            new VmoHandle(vmo.Koid, HandleSecret.Create()).Reveal(), new VmoHandle(new(vmo.Koid.Value + 1_000_000_007), HandleSecret.Create()).Reveal(),
        ];
        Assert.All(names[^2..], name => Assert.True(VmoHandle.TryParse(name, out _)));
        var said = new List<string>();
        foreach (var name in names)
        {
            using var client = new RawClient(path);
            await client.GreetAsync();
            var answer = client.AskAsync(NbdOption.Go, RawClient.Text(name), RawClient.U16(0));
            // However long the server looked for the name, it waits for the whole step of its own clock before it says so.
            Assert.Equal(TimeSpan.FromMilliseconds(250), await time.NextTimerAsync());
            Assert.False(answer.IsCompleted, $"a name of {name.Length} bytes was answered before its time");
            time.Advance(TimeSpan.FromMilliseconds(250));
            var (kind, data) = Assert.Single(await answer);
            said.Add($"{kind}: {Convert.ToHexString(data)}");
        }

        Assert.Single(said.Distinct());
        Assert.StartsWith(nameof(NbdOptionReply.Unknown), said[0], StringComparison.Ordinal);
        using var known = new RawClient(path);
        await known.GreetAsync();
        // No name is as long as that: it says nothing about handles, and is said at once.
        Assert.Equal(NbdOptionReply.Invalid, (await known.AskAsync(NbdOption.Go, RawClient.Text(new('x', 4097)), RawClient.U16(0)))[^1].Kind);
        Assert.Equal(NbdOptionReply.Ack, (await known.AskAsync(NbdOption.Go, RawClient.Text(good), RawClient.U16(0)))[^1].Kind);
    }

    // However long it was looked for: whole steps from when it was asked, by one reading of the clock. A second one, behind the border of a step, had nothing or less to wait for.
    [Theory]
    [InlineData(100.4, 150)]
    [InlineData(200, 50)]
    [InlineData(250, 250)]
    [InlineData(300, 200)]
    public async Task What_is_left_of_a_step_is_told_by_the_clock_once(double movesMs, int leftMs)
    {
        var (time, path) = (new AwaitedTime { Moves = TimeSpan.FromMilliseconds(movesMs) }, node.File($"moving-{leftMs}"));
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { TimeProvider = time });
        using var client = new RawClient(path);
        await client.GreetAsync();
        var answer = client.AskAsync(NbdOption.Go, RawClient.Text("nonsense"), RawClient.U16(0));
        Assert.Equal(TimeSpan.FromMilliseconds(leftMs), await time.NextTimerAsync());
        time.Advance(TimeSpan.FromMilliseconds(leftMs));
        Assert.Equal(NbdOptionReply.Unknown, Assert.Single(await answer).Kind);
    }

    [Fact]
    public async Task A_lookup_of_more_than_a_step_is_answered_after_two()
    {
        var vmo = await node.Client.CreateAsync(1 << 20);
        var (time, path) = (new AwaitedTime(), node.File("slow"));
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { TimeProvider = time });
        using var client = new RawClient(path);
        await client.GreetAsync();
        await Eventually.UntilAsync("the handshake has begun", () => time.Reads == 1);
        Task<List<(NbdOptionReply Kind, byte[] Data)>> answer;
        node.Silo.Pause();
        try
        {
            answer = client.AskAsync(NbdOption.Go, RawClient.Text(new VmoHandle(vmo.Koid, HandleSecret.Create()).Reveal()), RawClient.U16(0));
            // When it was asked, and that the client's own time stands still.
            await Eventually.UntilAsync("the name is looked for", () => time.Reads == 3);
            time.Advance(TimeSpan.FromMilliseconds(300));
        }
        finally
        {
            node.Silo.Resume();
        }

        Assert.Equal(TimeSpan.FromMilliseconds(200), await time.NextTimerAsync());
        time.Advance(TimeSpan.FromMilliseconds(200));
        Assert.Equal(NbdOptionReply.Unknown, Assert.Single(await answer).Kind);
    }

    // INFO is not GO: what was told of a disk opens none.
    [Fact]
    public async Task A_handle_that_was_revoked_between_two_options_is_refused_by_the_second()
    {
        var vmo = await node.Client.CreateAsync(1 << 20);
        foreach (var second in new[] { NbdOption.Info, NbdOption.Go, NbdOption.ExportName })
        {
            var handle = await vmo.DuplicateAsync(VmoRights.Read);
            var name = handle.Handle.Reveal();
            using var client = new RawClient(node.Socket);
            await client.GreetAsync();
            await client.AskAsync(NbdOption.StructuredReply);
            Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.SetMetaContext, RawClient.Text(name), RawClient.U32(1), RawClient.Text("base:allocation")))[^1].Kind);
            Assert.Equal(NbdOptionReply.Ack, (await client.AskAsync(NbdOption.Info, RawClient.Text(name), RawClient.U16(0)))[^1].Kind);
            await handle.RevokeAsync();
            if (second == NbdOption.ExportName)
            {
                await client.SendAsync(RawClient.Option(second, Encoding.ASCII.GetBytes(name)));
                Assert.True(await client.IsEndedAsync());
                continue;
            }

            Assert.Equal(NbdOptionReply.Unknown, Assert.Single(await client.AskAsync(second, RawClient.Text(name), RawClient.U16(0))).Kind);
        }
    }

    // A name is asked for in other ways, too.
    [Fact]
    public async Task Each_option_that_has_a_name_takes_as_long_to_refuse_it()
    {
        var vmo = await node.Client.CreateAsync(1 << 20);
        var revoked = await vmo.DuplicateAsync(VmoRights.Read);
        await revoked.RevokeAsync();
        var (time, path) = (new AwaitedTime(), node.File("options"));
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { TimeProvider = time });
        foreach (var name in new[] { "nonsense", revoked.Handle.Reveal() })
        {
            using var client = new RawClient(path);
            await client.GreetAsync();
            await client.AskAsync(NbdOption.StructuredReply);
            foreach (var (option, rest) in new[] { (NbdOption.Info, RawClient.U16(0)), (NbdOption.ListMetaContext, RawClient.U32(0)), (NbdOption.SetMetaContext, RawClient.U32(0)) })
            {
                var answer = client.AskAsync(option, RawClient.Text(name), rest);
                await RefusedInTimeAsync(answer);
                Assert.Equal(NbdOptionReply.Unknown, Assert.Single(await answer).Kind);
            }

            // This one has no way to say no but the end.
            await client.SendAsync(RawClient.Option(NbdOption.ExportName, Encoding.ASCII.GetBytes(name)));
            var end = client.IsEndedAsync();
            await RefusedInTimeAsync(end);
            Assert.True(await end);
        }

        // What is too long to be a name is none, however it is asked for.
        foreach (var (option, rest) in new[] { (NbdOption.Info, RawClient.U16(0)), (NbdOption.ListMetaContext, RawClient.U32(0)), (NbdOption.SetMetaContext, RawClient.U32(0)) })
        {
            using var client = new RawClient(path);
            await client.GreetAsync();
            await client.AskAsync(NbdOption.StructuredReply);
            Assert.Equal(NbdOptionReply.Invalid, Assert.Single(await client.AskAsync(option, RawClient.Text(new('x', 4097)), rest)).Kind);
        }

        async Task RefusedInTimeAsync(Task answer)
        {
            Assert.Equal(TimeSpan.FromMilliseconds(250), await time.NextTimerAsync());
            Assert.False(answer.IsCompleted);
            time.Advance(TimeSpan.FromMilliseconds(250));
        }
    }

    [Fact]
    public async Task A_path_is_taken_when_somebody_listens_or_something_else_is_there_and_free_when_a_killed_process_left_it()
    {
        var path = node.File("left");
        using (var killed = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            killed.Bind(new UnixDomainSocketEndPoint(path));
            killed.Listen();
            var taken = Assert.Throws<NbdSetupException>(() => NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client));
            Assert.Contains("another process listens there", taken.Message, StringComparison.Ordinal);
            // A process that is killed does not remove it as a closed socket does.
            File.Move(path, path + "-aside");
        }

        File.Move(path + "-aside", path);
        await using (NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client))
            Assert.True(File.Exists(path));
        Assert.False(File.Exists(path));

        foreach (var content in new[] { "", "somebody's" })
        {
            await File.WriteAllTextAsync(path, content);
            var there = Assert.Throws<NbdSetupException>(() => NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client));
            Assert.Contains("no socket", there.Message, StringComparison.Ordinal);
            Assert.Equal(content, await File.ReadAllTextAsync(path));
        }
    }

    private static async Task<VmoStatus> StatusAsync(Vmo vmo)
    {
        try
        {
            await vmo.GetInfoAsync();
            return VmoStatus.Ok;
        }
        catch (VmoException failure)
        {
            return failure.Status;
        }
    }

    /// <summary>A clock that stands still, or moves whenever it is read, and says who waits for it and how long.</summary>
    private sealed class AwaitedTime : FakeTimeProvider
    {
        private readonly Channel<TimeSpan> _timers = Channel.CreateUnbounded<TimeSpan>();
        private int _reads;

        /// <summary>By how much it moves when it is read.</summary>
        public TimeSpan Moves { get; init; }

        /// <summary>How often it was read.</summary>
        public int Reads => Volatile.Read(ref _reads);

        public override long GetTimestamp() => base.GetTimestamp() + (Interlocked.Increment(ref _reads) * Moves.Ticks);

        public async Task<TimeSpan> NextTimerAsync()
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            return await _timers.Reader.ReadAsync(patience.Token);
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            Assert.True(_timers.Writer.TryWrite(dueTime));
            return timer;
        }
    }
}
