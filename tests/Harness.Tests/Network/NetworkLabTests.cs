using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Xunit;
using Xunit.Abstractions;

namespace VmoCluster.Harness.Tests.Network;

/// <summary>Where the machine has no such network each test shows instead that the harness says why, and that the proxy can do the fault.</summary>
public sealed class NetworkLabTests(ITestOutputHelper output)
{
    // Half of the 200 ms after which TCP sends again what nothing is heard of.
    private static readonly TimeSpan Waited = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(400);

    [Fact]
    public async Task A_cut_one_way_lets_answers_but_no_questions_through_and_open_connections_go_on_when_it_heals()
    {
        if (NetworkLab.Impossible is { } why)
        {
            await ProxyInsteadAsync(why, proxy => proxy.Stall(ProxyWay.ToServer));
            return;
        }

        using var lab = NetworkLab.Open();
        var (server, client) = (lab.Add("server"), lab.Add("client"));
        await using var redis = await RedisServer.StartAsync(place: new(server));
        using var open = await ConnectAsync(client, redis);
        Assert.True(await AnswersAsync(open));

        lab.CutOneWay(client, server);
        Assert.False(await AnswersAsync(open));
        lab.Heal();
        await Eventually.UntilAsync("the question sent again by the kernel is answered", () => AnswersAsync(open, ask: false));

        lab.CutOneWay(server, client);
        await open.SendAsync("SET asked yes\r\n"u8.ToArray());
        Assert.False(await AnswersAsync(open, ask: false));
        Assert.Contains("yes", await redis.CommandAsync("GET", "asked"), StringComparison.Ordinal);
        lab.Heal(client, server);
        await Eventually.UntilAsync("the answer arrives", () => AnswersAsync(open, ask: false));

        lab.Cut(client, server);
        using var fresh = client.NewSocket();
        using var patience = new CancellationTokenSource(Silence);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await fresh.ConnectAsync(redis.Address, redis.Port, patience.Token));
    }

    [Fact]
    public async Task Lost_packets_and_a_narrow_line_slow_a_connection_and_break_nothing()
    {
        if (NetworkLab.Impossible is { } why)
        {
            await ProxyInsteadAsync(why, proxy => proxy.Stall());
            return;
        }

        using var lab = NetworkLab.Open();
        var (server, client) = (lab.Add("server"), lab.Add("client"));
        await using var redis = await RedisServer.StartAsync(place: new(server));
        await redis.CommandAsync("SET", "large", new string('x', 1 << 20));
        using var open = await ConnectAsync(client, redis);
        var free = await FetchAsync(open);
        lab.Limit(server, 8_000_000);
        var narrow = await FetchAsync(open);
        lab.Heal();
        lab.Lose(server, client, 20);
        // A megabyte is some sixteen packets, and one lost in the middle is sent again at once: only the loss of the last, one in five, is waited for.
        var lossy = TimeSpan.Zero;
        for (var fetches = 0; fetches < 80 && lossy <= free + Waited; fetches++)
            lossy = await FetchAsync(open);
        lab.Heal();
        var healed = await FetchAsync(open);
        output.WriteLine($"1 MiB: {free.TotalMilliseconds:F0} ms; at 8 Mbit/s {narrow.TotalMilliseconds:F0} ms; with 20 % lost {lossy.TotalMilliseconds:F0} ms; healed {healed.TotalMilliseconds:F0} ms");

        // 8 Mbit/s are 1 MiB in 1.05 s.
        Assert.True(narrow > TimeSpan.FromMilliseconds(900), "the line was not narrow");
        Assert.True(lossy > free + Waited, "nothing was lost");
    }

    [Fact]
    public async Task Nothing_inside_is_reached_from_outside_and_the_other_way_round()
    {
        if (NetworkLab.Impossible is { } why)
        {
            await ProxyInsteadAsync(why, proxy => proxy.Stall());
            return;
        }

        using var lab = NetworkLab.Open();
        var inside = lab.Add("inside");
        using var socket = inside.NewSocket();
        var failure = await Assert.ThrowsAsync<SocketException>(async () => await socket.ConnectAsync(IPAddress.Parse("127.1.2.3"), 9));
        Assert.Equal(SocketError.ConnectionRefused, failure.SocketErrorCode);
        using var another = inside.NewSocket();
        failure = await Assert.ThrowsAsync<SocketException>(async () => await another.ConnectAsync(IPAddress.Parse("192.0.2.1"), 9));
        Assert.Equal(SocketError.NetworkUnreachable, failure.SocketErrorCode);

        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var third = inside.NewSocket();
        failure = await Assert.ThrowsAsync<SocketException>(async () => await third.ConnectAsync(listener.LocalEndpoint));
        Assert.Equal(SocketError.ConnectionRefused, failure.SocketErrorCode);
    }

    [Fact]
    public async Task Disposing_removes_all_of_it_and_the_next_run_what_an_aborted_one_left()
    {
        if (NetworkLab.Impossible is { } why)
        {
            await ProxyInsteadAsync(why, proxy => proxy.Stall());
            return;
        }

        var before = Directory.GetFiles("/run/netns").Length;
        var lab = NetworkLab.Open();
        lab.Add("one");
        Assert.Equal(before + 2, Directory.GetFiles("/run/netns").Length);
        lab.Dispose();
        Assert.Equal(before, Directory.GetFiles("/run/netns").Length);

        // Nobody has this id and began at that tick.
        const string stale = "vmolab-1_424242-1-hub";
        Tools.Run("ip", "netns", "add", stale);
        using var ours = NetworkLab.Open();
        NetworkLab.RemoveStale();
        Assert.False(File.Exists("/run/netns/" + stale));
        Assert.Equal(before + 1, Directory.GetFiles("/run/netns").Length);
    }

    [Fact]
    public void Rules_drop_all_of_what_is_cut_and_by_chance_what_is_lossy()
    {
        var rules = NetworkLab.RulesOf([(IPAddress.Parse("10.203.7.1"), 100), (IPAddress.Parse("10.203.7.2"), 20), (IPAddress.Parse("10.203.7.3"), 0)]);
        Assert.Contains("ip saddr 10.203.7.1 drop\n", rules, StringComparison.Ordinal);
        Assert.Contains("ip saddr 10.203.7.2 numgen random mod 100 < 20 drop\n", rules, StringComparison.Ordinal);
        Assert.DoesNotContain("10.203.7.3", rules, StringComparison.Ordinal);
    }

    private async Task ProxyInsteadAsync(string why, Action<TcpProxy> fault)
    {
        output.WriteLine($"No network of its own here: {why}");
        Assert.Equal(why, Assert.Throws<PlatformNotSupportedException>(NetworkLab.Open).Message);
        await using var redis = await RedisServer.StartAsync();
        await using var proxy = new TcpProxy(redis.Port);
        using var open = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await open.ConnectAsync(IPAddress.Loopback, proxy.Port);
        Assert.True(await AnswersAsync(open));
        fault(proxy);
        Assert.False(await AnswersAsync(open));
        proxy.Heal();
        await Eventually.UntilAsync("the question is answered", () => AnswersAsync(open, ask: false));
    }

    private static async Task<Socket> ConnectAsync(LabHost from, RedisServer redis)
    {
        var socket = from.NewSocket();
        await socket.ConnectAsync(redis.Address, redis.Port);
        return socket;
    }

    private static async Task<bool> AnswersAsync(Socket socket, bool ask = true)
    {
        if (ask)
        {
            await socket.SendAsync("PING\r\n"u8.ToArray());
        }

        try
        {
            using var silence = new CancellationTokenSource(Silence);
            return await socket.ReceiveAsync(new byte[256], silence.Token) > 0;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static async Task<TimeSpan> FetchAsync(Socket socket)
    {
        var began = Stopwatch.GetTimestamp();
        await socket.SendAsync("GET large\r\n"u8.ToArray());
        await using var stream = new NetworkStream(socket);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(90));

        // $1048576, the text, each with a line's end.
        await stream.ReadExactlyAsync(new byte["$1048576\r\n".Length + (1 << 20) + 2], patience.Token);
        return Stopwatch.GetElapsedTime(began);
    }
}
