using System.Diagnostics;
using VmoCluster.Client.Tests.Model;

namespace VmoCluster.Client.Tests.Door;

/// <summary>The client's own calls through gRPC and the door: what goes in comes out.</summary>
public sealed class OverTheWireTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    [InlineData(262_144)]
    [InlineData(1_048_576)]
    [InlineData(3_000_001)]
    public async Task Bytes_come_back_as_they_went(int length)
    {
        await using var door = await DoorHost.StartAsync();
        await using var client = door.Connect();
        var vmo = await client.CreateAsync(4 << 20);
        var (bytes, back) = (Setup.Noise(length, length), new byte[length]);
        var version = await vmo.WriteAsync(4321, bytes);
        Assert.Equal(version, await vmo.ReadAsync(4321, back));
        Assert.Equal(bytes, back);
        Assert.Equal(bytes, door.Cluster.Bytes(vmo.Koid)[4321..(4321 + length)]);
    }

    [Fact]
    public async Task Many_callers_through_one_handle_get_their_own_bytes_under_faults()
    {
        await using var door = await DoorHost.StartAsync();
        await using var client = door.Connect(options: new() { AttemptTimeout = TimeSpan.FromMilliseconds(500) });
        var vmo = await client.CreateAsync(32 * 4096);
        door.Cluster.Faults = (name, number) => name is "read" or "write" && number % 7 == 0
            ? new(number % 2 == 0 ? FaultKind.LoseAnswer : FaultKind.ShouldWait, 3)
            : Fault.None;
        await Task.WhenAll(Enumerable.Range(0, 32).Select(async caller =>
        {
            for (var round = 0; round < 10; round++)
            {
                var (bytes, back) = (Setup.Noise(4096, (caller * 100) + round), new byte[4096]);
                await vmo.WriteAsync((ulong)caller * 4096, bytes);
                await vmo.ReadAsync((ulong)caller * 4096, back);
                Assert.Equal(bytes, back);
            }
        }));
        Assert.All(door.Cluster.Effects(vmo.Koid), times => Assert.Equal(1, times));
        Assert.Equal(320, door.Cluster.Effects(vmo.Koid).Count);
        Assert.Contains(door.Cluster.AttemptsOf("read"), message => message.Items > 1);
    }

    [Fact]
    public async Task Every_call_without_pages_says_the_same_as_without_a_wire()
    {
        await using var door = await DoorHost.StartAsync();
        await using var client = door.Connect(DoorHost.OperatorToken);
        var labels = new Dictionary<string, string> { ["app"] = "ünïcode", [""] = "empty key" };
        var vmo = await client.CreateAsync(3 * 4096, new() { Name = "nämé\nzwei", Labels = labels });
        Assert.Equal(3 * 4096UL, await vmo.GetSizeAsync());
        await vmo.SetSizeAsync(5 * 4096);
        Assert.Equal(5 * 4096UL, await vmo.GetSizeAsync());
        Assert.Equal("nämé\nzwei", await vmo.GetNameAsync());
        await vmo.SetNameAsync("");
        Assert.Equal("", await vmo.GetNameAsync());
        await vmo.SetContentSizeAsync(ulong.MaxValue);
        Assert.Equal(ulong.MaxValue, await vmo.GetContentSizeAsync());
        await vmo.WriteAsync(0, new byte[] { 1, 2, 3 });
        await vmo.WriteAsync(4 * 4096, new byte[] { 1 });
        await vmo.ZeroAsync(new(1, 1));
        Assert.Equal(new byte[] { 1, 0, 3 }, door.Cluster.Bytes(vmo.Koid)[..3]);
        await vmo.CommitAsync(ByteRange.All);
        await vmo.DecommitAsync(new(4096, 4096));
        var runs = new List<LookupRunSeen>();
        await foreach (var run in vmo.LookupAsync(ByteRange.All))
            runs.Add(new(run.Range, run.IsZero, run.Owner));
        Assert.Equal([new(new(0, 4096), false, vmo.Koid), new(new(4 * 4096, 4096), false, vmo.Koid)], runs);
        await vmo.SignalAsync(VmoSignals.None, VmoSignals.User7);
        Assert.Equal(new WaitResult(false, VmoSignals.User7 | VmoSignals.ZeroChildren), await vmo.WaitAsync(VmoSignals.User7, TimeSpan.Zero));
        Assert.Equal(new WaitResult(true, VmoSignals.User7 | VmoSignals.ZeroChildren), await vmo.WaitAsync(VmoSignals.User0, TimeSpan.FromMilliseconds(50)));

        var info = await vmo.GetInfoAsync();
        Assert.Equal((vmo.Koid, vmo.Rights, (int?)1, "", 5 * 4096UL), (info.Koid, (VmoRights?)info.Rights, info.HandleCount, info.Name, info.Size));
        Assert.Equal((ulong.MaxValue, true, ulong.MaxValue, 1UL << 63), (info.ContentSize, info.IsResizable, info.ChargedBytes, info.WouldFreeBytes));
        Assert.Equal(labels, info.Labels);
        Assert.Equal(1, (await vmo.GetInfoAsync(Messages.InfoTopic.HandleCount)).HandleCount);

        var weak = await vmo.DuplicateAsync(VmoRights.Read, DateTimeOffset.FromUnixTimeMilliseconds(1_900_000_000_001), new(0, 4096));
        var basic = await weak.GetInfoAsync(Messages.InfoTopic.HandleBasic);
        Assert.Equal((VmoRights.Read, 1_900_000_000_001, new ByteRange(0, 4096)), (basic.Rights, basic.ExpiresMs, basic.Range));
        Assert.Null(basic.Name);
        Assert.Null(basic.Labels);
        Assert.Equal(VmoRights.Read, (await weak.ReplaceAsync(VmoRights.SameRights)).Rights);
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(77), await vmo.RenewAsync(DateTimeOffset.FromUnixTimeMilliseconds(77)));
        Assert.Null(await vmo.RenewAsync(null));
        var operators = await client.OperatorHandleAsync(vmo.Koid);
        await vmo.RevokeAsync();
        Assert.Equal(1, await CountAsync(client));
        Assert.Equal(5 * 4096UL, await operators.GetSizeAsync());
        Assert.Equal(1, (await client.CloseManyAsync([operators.Handle, vmo.Handle])).Closed);
        Assert.Equal("9.9.9", await client.ServerVersionAsync());
        await Setup.UntilAsync(() => door.Cluster.Attempts.Any(attempt => attempt.Name == "call"), "confirmations went through");
    }

    [Fact]
    public async Task A_refusal_arrives_with_its_status_numbers_and_hint()
    {
        await using var door = await DoorHost.StartAsync();
        await using var client = door.Connect();
        var vmo = await client.CreateAsync(4096, new() { NonResizable = true });
        var refused = await Setup.RefusedAsync(VmoStatus.OutOfRange, () => vmo.ReadAsync(8192, new byte[1]));
        Assert.Equal("1 bytes at 8192, the size is 4096", refused.Message);
        await Setup.RefusedAsync(VmoStatus.Unavailable, () => vmo.SetSizeAsync(1));
        await Setup.RefusedAsync(VmoStatus.BadHandle, () => client.Open(new(vmo.Koid, HandleSecret.Create())).GetSizeAsync());
        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => client.CreateAsync(ulong.MaxValue));
        door.Cluster.Faults = (name, _) => name == "read" ? new(FaultKind.ShouldWait, 123) : Fault.None;
        var hurried = vmo.WithDeadline(TimeSpan.FromSeconds(1));
        Assert.Equal(TimeSpan.FromMilliseconds(123), (await Setup.RefusedAsync(VmoStatus.ShouldWait, () => hurried.ReadAsync(0, new byte[1]))).RetryAfter);
    }

    [Fact]
    public async Task Unknown_bits_and_numbers_pass_through_to_the_vmo()
    {
        await using var door = await DoorHost.StartAsync();
        await using var client = door.Connect();
        var refused = await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => client.CreateAsync(4096, new() { Options = (VmoOptions)0x80000002 }));
        Assert.Contains("80000002", refused.Message, StringComparison.Ordinal);
        var vmo = await client.CreateAsync(4096);
        refused = await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.OpRangeAsync((VmoOp)uint.MaxValue, default));
        Assert.Contains(uint.MaxValue.ToString(), refused.Message, StringComparison.Ordinal);
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.SignalAsync(VmoSignals.ZeroChildren, VmoSignals.None));
    }

    [Fact]
    public async Task The_operator_is_who_has_the_token_and_a_wrong_token_is_refused()
    {
        await using var door = await DoorHost.StartAsync();
        await using (var nobody = door.Connect())
        {
            var vmo = await nobody.CreateAsync(4096);
            await Setup.RefusedAsync(VmoStatus.AccessDenied, () => nobody.OperatorHandleAsync(vmo.Koid));
            await Setup.RefusedAsync(VmoStatus.AccessDenied, () => CountAsync(nobody));
        }

        await using (var wrong = door.Connect("vmoop_for_tests_onlx"))
        {
            var refused = await Setup.RefusedAsync(VmoStatus.AccessDenied, () => wrong.CreateAsync(4096));
            Assert.DoesNotContain("onlx", refused.ToString(), StringComparison.Ordinal);
        }

        await using var client = door.Connect(DoorHost.OperatorToken);
        Assert.Equal(1, await CountAsync(client));
        Assert.Contains(door.Cluster.AttemptsOf("list"), list => list.Caller == Caller.Operator);
        Assert.Contains(door.Cluster.AttemptsOf("create"), create => create.Caller == Caller.Anonymous);
    }

    [Fact]
    public async Task A_bug_of_ours_is_internal_and_tells_nothing_of_the_inside()
    {
        await using var door = await DoorHost.StartAsync();
        await using var client = door.Connect();
        var vmo = await client.CreateAsync(4096);
        door.Cluster.Faults = (name, _) => name == "read" ? new(FaultKind.Throw) : Fault.None;
        var refused = await Setup.RefusedAsync(VmoStatus.Internal, () => vmo.ReadAsync(0, new byte[1]));
        Assert.DoesNotContain("secret detail", refused.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("ModelCluster", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_one_door_gone_the_next_is_used_and_the_first_again_when_it_is_back()
    {
        var cluster = new ModelCluster();
        var first = await DoorHost.StartAsync(cluster: cluster);
        await using var second = await DoorHost.StartAsync(cluster: cluster);
        await using var client = VmoClient.Connect(new() { Endpoints = [first.Address, second.Address] });
        var vmo = await client.CreateAsync(4096);
        var port = first.Address.Port;
        await first.DisposeAsync();
        var watch = Stopwatch.StartNew();
        await vmo.WriteAsync(0, new byte[] { 1 });
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(4), $"failing over took {watch.Elapsed}");
        await second.DisposeAsync();
        await using var back = await DoorHost.StartAsync(cluster: cluster, port: port);
        await vmo.WriteAsync(1, new byte[] { 2 });
        Assert.Equal(new byte[] { 1, 2 }, cluster.Bytes(vmo.Koid)[..2]);
        Assert.All(cluster.Effects(vmo.Koid), times => Assert.Equal(1, times));
    }

    [Fact]
    public async Task Where_nobody_listens_a_call_is_io_in_bounded_time_and_the_client_knows_it_was_never_answered()
    {
        await using var client = VmoClient.Connect(new() { Endpoints = [new("http://127.0.0.1:1")], ConnectTimeout = TimeSpan.FromMilliseconds(300) });
        var refused = await Setup.RefusedAsync(VmoStatus.Io, () => client.ServerVersionAsync());
        Assert.Contains("127.0.0.1:1", refused.Message, StringComparison.Ordinal);
        Assert.False(client.HasAnswered);
        await using var door = await DoorHost.StartAsync();
        await using var reached = door.Connect();
        await reached.ServerVersionAsync();
        Assert.True(reached.HasAnswered);
    }

    [Theory]
    [InlineData("ftp://127.0.0.1:1")]
    [InlineData("/relative")]
    public void An_address_that_is_no_endpoint_is_refused(string address) =>
        Assert.Equal(VmoStatus.InvalidArgs, Assert.Throws<VmoException>(() => VmoClient.Connect(new() { Endpoints = [new(address, UriKind.RelativeOrAbsolute)] })).Status);

    [Fact]
    public void No_endpoint_at_all_is_refused() =>
        Assert.Equal(VmoStatus.InvalidArgs, Assert.Throws<VmoException>(() => VmoClient.Connect(new())).Status);

    [Fact]
    public async Task One_call_is_one_trace_and_no_span_holds_a_secret()
    {
        var spans = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Telemetry.Name,
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                lock (spans)
                    spans.Add(span);
            },
        };
        ActivitySource.AddActivityListener(listener);
        await using var door = await DoorHost.StartAsync();
        await using var client = door.Connect();
        using var own = new ActivitySource("own");
        using var root = new Activity("root").Start();
        var vmo = await client.CreateAsync(4096);
        await vmo.WriteAsync(0, new byte[1]);
        await vmo.ReadAsync(0, new byte[1]);
        await vmo.GetSizeAsync();
        root.Stop();
        var mine = () =>
        {
            lock (spans)
                return spans.Where(span => span.TraceId == root.TraceId).ToArray();
        };
        await Setup.UntilAsync(() => mine().Count(span => span.OperationName.StartsWith("vmo.door/", StringComparison.Ordinal)) >= 4, "four spans of the door");
        foreach (var call in new[] { "create", "write", "read", "get_size" })
        {
            var sent = mine().Single(span => span.OperationName == "vmo.client/" + call);
            Assert.Single(mine(), span => span.OperationName == "vmo.door/" + call);
            Assert.Equal(root.SpanId, sent.ParentSpanId);
        }

        var secret = vmo.Handle.Reveal();
        Assert.DoesNotContain(mine().SelectMany(span => span.TagObjects), tag => tag.Value?.ToString()?.Contains(secret, StringComparison.Ordinal) == true);
    }

    private static async Task<int> CountAsync(VmoClient client)
    {
        var count = 0;
        await foreach (var _ in client.ListAsync(new()))
            count++;
        return count;
    }

    private readonly record struct LookupRunSeen(ByteRange Range, bool IsZero, Koid Owner);
}
