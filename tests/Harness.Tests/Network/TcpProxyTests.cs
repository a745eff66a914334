using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace VmoCluster.Harness.Tests.Network;

public sealed class TcpProxyTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    // So long nothing comes where nothing may.
    private static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(300);

    private readonly EchoServer _server = new();
    private readonly TcpProxy _proxy;

    public TcpProxyTests() => _proxy = new(_server.Port);

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Without_faults_it_changes_nothing_and_an_end_is_passed_on()
    {
        using var client = await ConnectAsync();
        var sent = Enumerable.Range(0, 100_000).Select(i => (byte)(i * 31)).ToArray();
        var sending = client.SendAsync(sent);
        Assert.Equal(sent, await ReceiveAsync(client, sent.Length));
        await sending;
        client.Close();
        await Eventually.UntilAsync("the connection's end", () => _proxy.Open == 0);
    }

    [Theory]
    [InlineData(ProxyWay.ToServer, 1)]
    [InlineData(ProxyWay.ToClient, 1)]
    [InlineData(ProxyWay.Both, 2)]
    public async Task Every_chunk_arrives_so_much_later_each_way_that_is_slow(ProxyWay way, int times)
    {
        using var client = await ConnectAsync();
        Assert.Equal("warm", await EchoAsync(client, "warm"));
        _proxy.Delay(TimeSpan.FromMilliseconds(150), TimeSpan.FromMilliseconds(50), way);
        for (var i = 0; i < 3; i++)
        {
            var began = Stopwatch.GetTimestamp();
            Assert.Equal("slow", await EchoAsync(client, "slow"));
            Assert.True(Stopwatch.GetElapsedTime(began) >= TimeSpan.FromMilliseconds(150 * times) - TimeSpan.FromMilliseconds(5), "it came too early");
        }

        _proxy.Heal();
        Assert.Equal("fast", await EchoAsync(client, "fast"));
    }

    [Fact]
    public async Task Delay_is_of_time_and_not_of_order_or_rate()
    {
        using var client = await ConnectAsync();
        _proxy.Delay(TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(100), ProxyWay.ToServer, seed: 7);
        var began = Stopwatch.GetTimestamp();
        for (var i = 0; i < 20; i++)
        {
            await client.SendAsync(Encoding.ASCII.GetBytes($"{i:D3} "));
            await Task.Yield();
        }

        var text = Encoding.ASCII.GetString(await ReceiveAsync(client, 80));
        Assert.Equal(string.Concat(Enumerable.Range(0, 20).Select(i => $"{i:D3} ")), text);

        // One after the other they would have taken 4 s at least.
        Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.FromMilliseconds(190), TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task What_is_lost_to_the_server_never_arrives_there_and_the_connection_is_reset_when_all_heals()
    {
        using var client = await ConnectAsync();
        Assert.Equal("one", await EchoAsync(client, "one"));
        _proxy.Lose(ProxyWay.ToServer);
        await client.SendAsync("two"u8.ToArray());
        await NothingComesAsync(client);
        Assert.Equal("one"u8.ToArray(), _server.Got);
        _proxy.Heal();
        await EndsAsync(client);
        using var next = await ConnectAsync();
        Assert.Equal("three", await EchoAsync(next, "three"));
        Assert.Equal("onethree"u8.ToArray(), _server.Got);
    }

    [Fact]
    public async Task What_is_lost_to_the_client_has_been_done_all_the_same()
    {
        using var client = await ConnectAsync();
        Assert.Equal("one", await EchoAsync(client, "one"));
        _proxy.Lose(ProxyWay.ToClient);
        await client.SendAsync("two"u8.ToArray());
        await Eventually.UntilAsync("the server has it", () => _server.Got.Length == 6);
        await NothingComesAsync(client);
        _proxy.Heal();
        await EndsAsync(client);
    }

    [Fact]
    public async Task Half_open_connections_stay_and_go_on_where_they_were_with_no_byte_missing()
    {
        using var client = await ConnectAsync();
        Assert.Equal("one", await EchoAsync(client, "one"));
        _proxy.Stall();
        await client.SendAsync("two"u8.ToArray());
        using var late = await ConnectAsync();
        await late.SendAsync("late"u8.ToArray());
        await NothingComesAsync(client);
        await NothingComesAsync(late);
        Assert.Equal(3, _server.Got.Length);
        _proxy.Heal();
        Assert.Equal("two"u8.ToArray(), await ReceiveAsync(client, 3));
        Assert.Equal("late"u8.ToArray(), await ReceiveAsync(late, 4));
    }

    [Fact]
    public async Task A_stalled_way_back_lets_the_way_there_pass()
    {
        using var client = await ConnectAsync();
        _proxy.Stall(ProxyWay.ToClient);
        await client.SendAsync("two"u8.ToArray());
        await Eventually.UntilAsync("the server has it", () => _server.Got.Length == 3);
        await NothingComesAsync(client);
        _proxy.Heal();
        Assert.Equal("two"u8.ToArray(), await ReceiveAsync(client, 3));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(9)]
    public async Task A_cut_lets_exactly_so_many_bytes_through_and_resets_both_sides(int bytes)
    {
        using var client = await ConnectAsync();
        Assert.Equal("one", await EchoAsync(client, "one"));
        _proxy.CutAfter(bytes, ProxyWay.ToServer);
        await client.SendAsync("0123456789"u8.ToArray());
        await EndsAsync(client);
        await Eventually.UntilAsync("the server has what passed", () => _server.Got.Length == 3 + bytes);
        Assert.Equal(1, _proxy.Cuts);
        using var next = await ConnectAsync();
        Assert.Equal("whole again", await EchoAsync(next, "whole again"));
        Assert.Equal(1, _proxy.Cuts);
    }

    [Fact]
    public async Task Refusing_ends_open_connections_takes_no_new_ones_and_heals_on_the_same_port()
    {
        using var client = await ConnectAsync();
        Assert.Equal("one", await EchoAsync(client, "one"));
        _proxy.Refuse();
        await EndsAsync(client);
        for (var i = 0; i < 3; i++)
        {
            var refusal = await Assert.ThrowsAsync<SocketException>(ConnectAsync);
            Assert.Equal(SocketError.ConnectionRefused, refusal.SocketErrorCode);
        }

        _proxy.Heal();
        using var next = await ConnectAsync();
        Assert.Equal("two", await EchoAsync(next, "two"));
    }

    [Fact]
    public async Task What_follows_a_held_text_on_its_connection_waits_with_it_and_other_connections_do_not()
    {
        using var client = await ConnectAsync();
        using var other = await ConnectAsync();
        _proxy.HoldNext("HOLD", TimeSpan.FromMilliseconds(500));
        var began = Stopwatch.GetTimestamp();
        await client.SendAsync("HOLD"u8.ToArray());
        await Eventually.UntilAsync("it is held", () => _proxy.Held == 1);
        await client.SendAsync("next"u8.ToArray());
        Assert.Equal("other", await EchoAsync(other, "other"));
        Assert.Equal("HOLDnext"u8.ToArray(), await ReceiveAsync(client, 8));
        Assert.True(Stopwatch.GetElapsedTime(began) >= TimeSpan.FromMilliseconds(495), "it was not held");
        Assert.StartsWith("other", Encoding.ASCII.GetString(_server.Got), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Led_to_another_server_it_resets_what_is_open_and_what_is_new_reaches_that_one()
    {
        await using var other = new EchoServer();
        using var before = await ConnectAsync();
        Assert.Equal("one", await EchoAsync(before, "one"));
        _proxy.Lead(new(IPAddress.Loopback, other.Port));
        await EndsAsync(before);
        using var after = await ConnectAsync();
        Assert.Equal("other", await EchoAsync(after, "other"));
        Assert.Equal("other", Encoding.ASCII.GetString(other.Got));
        Assert.Equal("one", Encoding.ASCII.GetString(_server.Got));
    }

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var patience = new CancellationTokenSource(Patience);
        await socket.ConnectAsync(IPAddress.Loopback, _proxy.Port, patience.Token);
        return socket;
    }

    private static async Task<string> EchoAsync(Socket client, string text)
    {
        await client.SendAsync(Encoding.ASCII.GetBytes(text));
        return Encoding.ASCII.GetString(await ReceiveAsync(client, text.Length));
    }

    private static async Task<byte[]> ReceiveAsync(Socket client, int count)
    {
        var bytes = new byte[count];
        await using var stream = new NetworkStream(client);
        using var patience = new CancellationTokenSource(Patience);
        await stream.ReadExactlyAsync(bytes, patience.Token);
        return bytes;
    }

    private static async Task NothingComesAsync(Socket client)
    {
        using var silence = new CancellationTokenSource(Silence);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await client.ReceiveAsync(new byte[1], silence.Token));
    }

    private static async Task EndsAsync(Socket client)
    {
        using var patience = new CancellationTokenSource(Patience);

        // What was answered to bytes that had passed may come first.
        var end = await Assert.ThrowsAsync<SocketException>(async () =>
        {
            while (await client.ReceiveAsync(new byte[256], patience.Token) > 0)
            {
            }
        });
        Assert.Equal(SocketError.ConnectionReset, end.SocketErrorCode);
    }
}
