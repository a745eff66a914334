using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
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
        var (time, path) = (new AwaitedTime(), node.File("refusing"));
        await using var server = NbdServer.Listen(new UnixDomainSocketEndPoint(path), node.Client, new() { TimeProvider = time });
        var good = vmo.Handle.Reveal();
        string[] names = ["", "nonsense", new('x', 4096), good + "x", good[..^1] + (good[^1] == 'a' ? 'b' : 'a'), good + "?readwrite", closed.Handle.Reveal(), revoked.Handle.Reveal(), unreadable.Handle.Reveal()];
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

    /// <summary>A clock that stands still, and says who waits for it and how long.</summary>
    private sealed class AwaitedTime : FakeTimeProvider
    {
        private readonly Channel<TimeSpan> _timers = Channel.CreateUnbounded<TimeSpan>();

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
