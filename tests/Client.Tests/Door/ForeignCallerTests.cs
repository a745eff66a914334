using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;
using VmoCluster.Client.Tests.Model;

namespace VmoCluster.Client.Tests.Door;

/// <summary>Callers that are not our client: what the wire says to them, well-behaved or not.</summary>
public sealed class ForeignCallerTests
{
    private static async Task<(V1.Vmos.VmosClient Vmos, V1.Handles.HandlesClient Handles, V1.CreateResponse Vmo)> ReadyAsync(GrpcChannel channel, ulong size = 1 << 20)
    {
        var vmos = new V1.Vmos.VmosClient(channel);
        return (vmos, new(channel), await vmos.CreateAsync(new() { Size = size, Confirmed = true }));
    }

    private static async Task<ErrorInfo> RefusedAsync(StatusCode code, VmoStatus status, Func<Task> call)
    {
        var error = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(code, error.StatusCode);
        var info = error.GetRpcStatus()?.GetDetail<ErrorInfo>();
        Assert.NotNull(info);
        Assert.Equal("vmo", info.Domain);
        Assert.Equal("ZX_ERR_" + status.ToZxName(), info.Reason);
        Assert.Equal(((int)status).ToString(), info.Metadata["zx_status"]);
        Assert.Equal(status.IsRetryable() ? "true" : "false", info.Metadata["retryable"]);
        Assert.DoesNotContain(" at VmoCluster", error.Status.Detail, StringComparison.Ordinal);
        return info;
    }

    [Fact]
    public async Task A_caller_with_nothing_but_a_handle_gets_along()
    {
        await using var door = await DoorHost.StartAsync();
        using var channel = GrpcChannel.ForAddress(door.Address);
        var (vmos, handles, vmo) = await ReadyAsync(channel);
        var head = new V1.CallHead { Handle = vmo.Handle };
        await vmos.WriteAsync(new() { Head = head, Items = { new V1.WriteItem { Offset = 3, Length = 2 } }, Data = ByteString.CopyFrom(7, 8) });
        var read = await vmos.ReadAsync(new() { Head = head, Items = { new V1.ReadItem { Offset = 3, Length = 2 }, new V1.ReadItem { Offset = 4, Length = 1 } } });
        Assert.Equal([7, 8, 8], read.Data.ToByteArray());
        var duplicate = await handles.DuplicateAsync(new() { Head = head, Rights = (uint)VmoRights.Read });
        Assert.Equal((uint)VmoRights.Read, duplicate.Rights);
        Assert.Equal(1UL << 20, (await vmos.GetSizeAsync(new() { Head = new() { Handle = duplicate.Handle } })).Size);
        var closed = await handles.CloseManyAsync(new() { Handles = { duplicate.Handle, "vmo_nonsense", vmo.Handle } });
        Assert.Equal([0, -11, 0], closed.Outcomes.Select(outcome => outcome.ZxStatus));
        await RefusedAsync(StatusCode.NotFound, VmoStatus.BadHandle, async () => await vmos.GetSizeAsync(new() { Head = head }));
    }

    [Theory]
    [InlineData("")]
    [InlineData("vmo_")]
    [InlineData("nonsense")]
    [InlineData("vmo_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")]
    public async Task A_malformed_handle_is_a_bad_handle_and_is_not_repeated(string handle)
    {
        await using var door = await DoorHost.StartAsync();
        using var channel = GrpcChannel.ForAddress(door.Address);
        var (vmos, handles, _) = await ReadyAsync(channel);
        var head = new V1.CallHead { Handle = handle };
        foreach (var call in new Func<Task>[]
        {
            async () => await vmos.GetSizeAsync(new() { Head = head }),
            async () => await vmos.ReadAsync(new() { Head = head, Items = { new V1.ReadItem() } }),
            async () => await vmos.WriteAsync(new() { Head = head, Items = { new V1.WriteItem() } }),
            async () => await handles.CloseAsync(new() { Head = head }),
            async () => await handles.CloseAsync(new()),
            async () => await vmos.ReadRange(new() { Head = head }).ResponseStream.MoveNext(),
        })
        {
            await RefusedAsync(StatusCode.NotFound, VmoStatus.BadHandle, call);
        }
    }

    [Fact]
    public async Task Messages_beyond_a_limit_are_out_of_range_and_those_that_contradict_themselves_invalid()
    {
        await using var door = await DoorHost.StartAsync();
        using var channel = GrpcChannel.ForAddress(door.Address);
        var (vmos, handles, vmo) = await ReadyAsync(channel);
        var head = new V1.CallHead { Handle = vmo.Handle, Request = new() { Client = 1, Sequence = 1 } };
        var big = new V1.ReadItem { Length = 200_000 };
        foreach (var call in new Func<Task>[]
        {
            async () => await vmos.ReadAsync(new() { Head = head, Items = { big, big } }),
            async () => await vmos.ReadAsync(new() { Head = head, Items = { new V1.ReadItem { Length = uint.MaxValue } } }),
            async () => await vmos.ReadAsync(new() { Head = head, Items = { Enumerable.Repeat(new V1.ReadItem(), 65) } }),
            async () => await vmos.WriteAsync(new() { Head = head, Items = { new V1.WriteItem { Length = 262_145 } }, Data = ByteString.CopyFrom(new byte[262_145]) }),
            async () => await vmos.ReadPieceAsync(new() { Head = head, Whole = new() { Length = (1 << 20) + 1 } }),
            async () => await vmos.ReadPieceAsync(new() { Head = head, Whole = new() { Length = 262_144 }, Piece = 1 }),
            async () => await vmos.WritePieceAsync(new() { Head = head, Length = uint.MaxValue }),
            async () => await vmos.WaitAsync(new() { Head = head, PollMs = 5001 }),
            async () => await vmos.ListAsync(new() { Most = 1001 }),
            async () => await handles.CloseManyAsync(new() { Handles = { Enumerable.Repeat(vmo.Handle, 1025) } }),
        })
        {
            await RefusedAsync(StatusCode.OutOfRange, VmoStatus.OutOfRange, call);
        }

        foreach (var call in new Func<Task>[]
        {
            async () => await vmos.ReadAsync(new() { Head = head }),
            async () => await vmos.WriteAsync(new() { Head = head }),
            async () => await vmos.WriteAsync(new() { Head = head, Items = { new V1.WriteItem { Length = 5 } }, Data = ByteString.CopyFrom(1) }),
            async () => await vmos.WritePieceAsync(new() { Head = head, Length = 300_000, Piece = 1, Data = ByteString.CopyFrom(1) }),
            async () => await vmos.CreateAsync(new() { Head = head }),
            async () => await vmos.CreateAsync(new() { NewSecret = ByteString.CopyFrom(1, 2, 3) }),
            async () => await vmos.CreateAsync(new() { NewSecret = ByteString.CopyFrom(new byte[16]) }),
            async () => await vmos.CreateAsync(new() { Head = new() { Request = head.Request } }),
            async () => await handles.DuplicateAsync(new() { Head = head, Rights = 1 }),
        })
        {
            await RefusedAsync(StatusCode.InvalidArgument, VmoStatus.InvalidArgs, call);
        }
    }

    [Fact]
    public async Task When_some_of_several_items_are_refused_the_others_are_answered()
    {
        await using var door = await DoorHost.StartAsync();
        using var channel = GrpcChannel.ForAddress(door.Address);
        var (vmos, _, vmo) = await ReadyAsync(channel, 4096);
        var head = new V1.CallHead { Handle = vmo.Handle };
        var read = await vmos.ReadAsync(new() { Head = head, Items = { new V1.ReadItem { Offset = 4000, Length = 97 }, new V1.ReadItem { Length = 5 } } });
        Assert.Equal([-14, 0], read.Outcomes.Select(outcome => outcome.ZxStatus));
        Assert.Equal(5, read.Data.Length);
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0, 3, 0x0A, 0x7F, 0x01 })]
    [InlineData(new byte[] { 0, 0, 0, 0, 2, 0xFF, 0xFF })]
    [InlineData(new byte[] { 0, 0, 0, 0, 4, 0x0A, 0x02, 0x0A, 0x50 })]
    public async Task A_message_that_cannot_be_read_is_invalid(byte[] body)
    {
        await using var door = await DoorHost.StartAsync();
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(door.Address, "/vmo.v1.Vmos/GetSize"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        using var response = await http.SendAsync(request);
        await response.Content.ReadAsByteArrayAsync();
        var headers = response.Headers.Concat(response.TrailingHeaders).ToLookup(pair => pair.Key, pair => pair.Value.Single());
        Assert.Equal(["3"], headers["grpc-status"]);
        Assert.DoesNotContain("Exception", headers["grpc-message"].Single(), StringComparison.Ordinal);
        var status = Google.Rpc.Status.Parser.ParseFrom(Convert.FromBase64String(Padded(headers["grpc-status-details-bin"].Single())));
        Assert.Equal("-10", status.GetDetail<ErrorInfo>()!.Metadata["zx_status"]);
    }

    [Fact]
    public async Task A_message_of_several_mebibytes_is_refused_and_the_connection_lives()
    {
        await using var door = await DoorHost.StartAsync();
        using var channel = GrpcChannel.ForAddress(door.Address);
        var (vmos, _, vmo) = await ReadyAsync(channel);
        var head = new V1.CallHead { Handle = vmo.Handle };
        var error = await Assert.ThrowsAsync<RpcException>(async () =>
            await vmos.WriteAsync(new() { Head = head, Items = { new V1.WriteItem() }, Data = ByteString.CopyFrom(new byte[3 << 20]) }));
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
        Assert.Equal(1UL << 20, (await vmos.GetSizeAsync(new() { Head = head })).Size);
    }

    [Fact]
    public async Task A_range_streams_in_and_out_and_tells_how_much_is_durable_when_it_fails()
    {
        await using var door = await DoorHost.StartAsync();
        using var channel = GrpcChannel.ForAddress(door.Address);
        var (vmos, _, vmo) = await ReadyAsync(channel, 5 << 20);
        var head = new V1.CallHead { Handle = vmo.Handle };
        var bytes = Setup.Noise(4_500_000, 11);
        Assert.Equal(4_500_000UL, (await WriteRangeAsync(vmos, head, 1000, bytes)).Written);
        Assert.Equal(bytes, door.Cluster.Bytes(new(vmo.Koid))[1000..4_501_000]);

        var back = new MemoryStream();
        using (var reading = vmos.ReadRange(new() { Head = head, Range = new() { Offset = 1000, Length = 4_500_000 } }))
        {
            await foreach (var frame in reading.ResponseStream.ReadAllAsync())
            {
                Assert.InRange(frame.Data.Length, 1, Limits.MessageBytesMax);
                back.Write(frame.Data.Span);
            }
        }

        Assert.Equal(bytes, back.ToArray());
        await RefusedAsync(StatusCode.OutOfRange, VmoStatus.OutOfRange, async () =>
            await vmos.ReadRange(new() { Head = head, Range = new() { Offset = 1000, Length = 5 << 20 } }).ResponseStream.MoveNext());
        await RefusedAsync(StatusCode.OutOfRange, VmoStatus.OutOfRange, async () =>
            await vmos.ReadRange(new() { Head = head, Range = new() { Offset = 1000, Length = ulong.MaxValue } }).ResponseStream.MoveNext());
        var info = await RefusedAsync(StatusCode.OutOfRange, VmoStatus.OutOfRange, () => WriteRangeAsync(vmos, head, (2 << 20) + 4096, bytes));
        Assert.Equal((2 << 20).ToString(), info.Metadata["written"]);
        Assert.Equal(bytes[..(2 << 20)], door.Cluster.Bytes(new(vmo.Koid))[((2 << 20) + 4096)..((4 << 20) + 4096)]);
        info = await RefusedAsync(StatusCode.NotFound, VmoStatus.BadHandle, () => WriteRangeAsync(vmos, new(), 0, bytes));
        await RefusedAsync(StatusCode.InvalidArgument, VmoStatus.InvalidArgs, async () =>
        {
            using var empty = vmos.WriteRange();
            await empty.RequestStream.CompleteAsync();
            await empty;
        });
    }

    [Fact]
    public async Task A_session_carries_waits_and_signals_each_under_its_tag()
    {
        await using var door = await DoorHost.StartAsync(new() { CallsPerSessionMax = 3 });
        using var channel = GrpcChannel.ForAddress(door.Address);
        var (vmos, _, vmo) = await ReadyAsync(channel);
        using var session = vmos.Session();
        V1.SessionRequest Wait(ulong tag, uint mask, long ms) => new()
        {
            Tag = tag,
            Wait = new() { TimeoutMs = ms, Items = { new V1.SessionWaitItem { Handle = vmo.Handle, Mask = mask } } },
        };
        async Task<V1.SessionResponse> NextAsync()
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            Assert.True(await session.ResponseStream.MoveNext(patience.Token));
            return session.ResponseStream.Current;
        }

        await session.RequestStream.WriteAsync(Wait(1, (uint)VmoSignals.User0, -1));
        await session.RequestStream.WriteAsync(Wait(1, (uint)VmoSignals.User0, -1));
        Assert.Equal((1UL, (int)VmoStatus.AlreadyExists), ((await NextAsync()) is var twice ? (twice.Tag, twice.Outcome.ZxStatus) : default));
        await session.RequestStream.WriteAsync(Wait(2, (uint)VmoSignals.User0, 0));
        var none = await NextAsync();
        Assert.Equal((2UL, true, (uint)VmoSignals.ZeroChildren), (none.Tag, none.Waited.IsTimedOut, none.Waited.Observed.Single()));
        await session.RequestStream.WriteAsync(Wait(3, (uint)VmoSignals.User1, -1));
        await session.RequestStream.WriteAsync(Wait(4, (uint)VmoSignals.User2, -1));
        await session.RequestStream.WriteAsync(Wait(5, (uint)VmoSignals.User3, -1));
        var full = await NextAsync();
        Assert.Equal((5UL, (int)VmoStatus.ShouldWait), (full.Tag, full.Outcome.ZxStatus));
        await session.RequestStream.WriteAsync(new() { Tag = 4, Cancel = new() });
        var cancelled = await NextAsync();
        Assert.Equal((4UL, (int)VmoStatus.Canceled), (cancelled.Tag, cancelled.Outcome.ZxStatus));
        await session.RequestStream.WriteAsync(new() { Tag = 6, Signal = new() { Handle = vmo.Handle, Set = (uint)VmoSignals.User1 } });
        var both = new[] { await NextAsync(), await NextAsync() }.OrderBy(answer => answer.Tag).ToArray();
        Assert.Equal([3UL, 6UL], both.Select(answer => answer.Tag));
        Assert.False(both[0].Waited.IsTimedOut);
        await session.RequestStream.WriteAsync(new() { Tag = 7 });
        Assert.Equal((int)VmoStatus.NotSupported, (await NextAsync()).Outcome.ZxStatus);
        await session.RequestStream.WriteAsync(new() { Tag = 8, Signal = new() { Handle = "vmo_x" } });
        Assert.Equal((int)VmoStatus.BadHandle, (await NextAsync()).Outcome.ZxStatus);
        await session.RequestStream.WriteAsync(new() { Tag = 1, Cancel = new() });
        Assert.Equal((int)VmoStatus.Canceled, (await NextAsync()).Outcome.ZxStatus);
        await session.RequestStream.CompleteAsync();
        Assert.False(await session.ResponseStream.MoveNext(CancellationToken.None));
    }

    [Theory]
    [InlineData(2, 100)]
    [InlineData(100, 2)]
    public async Task What_is_beyond_the_calls_under_way_is_told_to_wait(int all, int perConnection)
    {
        await using var door = await DoorHost.StartAsync(new() { CallsMax = all, CallsPerConnectionMax = perConnection });
        using var channel = GrpcChannel.ForAddress(door.Address);
        var (vmos, _, vmo) = await ReadyAsync(channel);
        var head = new V1.CallHead { Handle = vmo.Handle };
        var release = new TaskCompletionSource();
        door.Cluster.Hold = name => name == "read" ? release.Task : Task.CompletedTask;
        var held = Enumerable.Range(0, 2).Select(_ => vmos.ReadAsync(new() { Head = head, Items = { new V1.ReadItem { Length = 1 } } }).ResponseAsync).ToArray();
        await Setup.UntilAsync(() => door.Cluster.AttemptsOf("read").Length == 2, "two calls are inside");
        var info = await RefusedAsync(StatusCode.Unavailable, VmoStatus.ShouldWait, async () => await vmos.GetSizeAsync(new() { Head = head }));
        Assert.InRange(int.Parse(info.Metadata["retry_after_ms"], CultureInfo.InvariantCulture), 20, 50);
        release.SetResult();
        await Task.WhenAll(held);
        await vmos.GetSizeAsync(new() { Head = head });
    }

    [Fact]
    public async Task What_frees_is_let_in_where_other_calls_are_told_to_wait()
    {
        await using var door = await DoorHost.StartAsync(new() { CallsMax = 4 });
        using var channel = GrpcChannel.ForAddress(door.Address);
        var (vmos, handles, vmo) = await ReadyAsync(channel);
        var (_, _, other) = await ReadyAsync(channel);
        var head = new V1.CallHead { Handle = vmo.Handle };
        var release = new TaskCompletionSource();
        door.Cluster.Hold = name => name == "read" ? release.Task : Task.CompletedTask;
        var held = Enumerable.Range(0, 4).Select(_ => vmos.ReadAsync(new() { Head = head, Items = { new V1.ReadItem { Length = 1 } } }).ResponseAsync).ToArray();
        await Setup.UntilAsync(() => door.Cluster.AttemptsOf("read").Length == 4, "four calls are inside");
        await RefusedAsync(StatusCode.Unavailable, VmoStatus.ShouldWait, async () => await vmos.GetSizeAsync(new() { Head = head }));
        await handles.CloseAsync(new() { Head = new() { Handle = other.Handle } });
        release.SetResult();
        await Task.WhenAll(held);
    }

    [Fact]
    public async Task Bytes_beyond_the_doors_are_told_to_wait_until_others_have_gone()
    {
        await using var door = await DoorHost.StartAsync(new() { CallBytesMax = 3 * Limits.MessageBytesMax });
        using var channel = GrpcChannel.ForAddress(door.Address);
        var (vmos, _, vmo) = await ReadyAsync(channel);
        var read = new V1.ReadRequest { Head = new() { Handle = vmo.Handle }, Items = { new V1.ReadItem { Length = 1 }, new V1.ReadItem { Length = uint.MaxValue } } };
        var release = new TaskCompletionSource();
        var write = new V1.WriteRequest { Head = new() { Handle = vmo.Handle }, Items = { new V1.WriteItem { Length = Limits.MessageBytesMax } }, Data = ByteString.CopyFrom(new byte[Limits.MessageBytesMax]) };
        door.Cluster.Hold = name => name == "write" ? release.Task : Task.CompletedTask;
        var held = Enumerable.Range(0, 3).Select(_ => vmos.WriteAsync(write).ResponseAsync).ToArray();
        await Setup.UntilAsync(() => door.Cluster.AttemptsOf("write").Length == 3, "three writes are inside");
        await RefusedAsync(StatusCode.Unavailable, VmoStatus.ShouldWait, async () => await vmos.ReadAsync(read));
        await vmos.GetSizeAsync(new() { Head = read.Head });
        release.SetResult();
        await Task.WhenAll(held);
        await RefusedAsync(StatusCode.OutOfRange, VmoStatus.OutOfRange, async () => await vmos.ReadAsync(read));
    }

    [Fact]
    public async Task The_deadline_is_the_fields_or_grpcs_whichever_ends_first()
    {
        await using var door = await DoorHost.StartAsync();
        using var channel = GrpcChannel.ForAddress(door.Address);
        var (vmos, _, vmo) = await ReadyAsync(channel);
        V1.ReadRequest Read(uint ms) => new() { Head = new() { Handle = vmo.Handle, DeadlineMs = ms }, Items = { new V1.ReadItem { Length = 1 } } };
        await vmos.ReadAsync(Read(0));
        await vmos.ReadAsync(Read(1234));
        await vmos.ReadAsync(Read(uint.MaxValue));
        await vmos.ReadAsync(Read(0), deadline: DateTime.UtcNow.AddSeconds(3));
        await vmos.ReadAsync(Read(1234), deadline: DateTime.UtcNow.AddSeconds(30));
        var seen = door.Cluster.AttemptsOf("read").Select(attempt => attempt.DeadlineMs).ToArray();
        Assert.Equal([15_000, 1234, 60_000], seen[..3]);
        Assert.InRange(seen[3], 1000, 3000);
        Assert.Equal(1234, seen[4]);
    }

    [Fact]
    public async Task Reflection_names_the_services_and_health_says_serving()
    {
        await using var door = await DoorHost.StartAsync();
        using var channel = GrpcChannel.ForAddress(door.Address);
        using var reflection = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo();
        await reflection.RequestStream.WriteAsync(new() { ListServices = "" });
        Assert.True(await reflection.ResponseStream.MoveNext(CancellationToken.None));
        var names = reflection.ResponseStream.Current.ListServicesResponse.Service.Select(service => service.Name).ToArray();
        Assert.Contains("vmo.v1.Vmos", names);
        Assert.Contains("vmo.v1.Handles", names);
        await reflection.RequestStream.CompleteAsync();
        foreach (var service in new[] { "", "vmo.v1.Vmos", "vmo.v1.Handles" })
        {
            var health = await new Health.HealthClient(channel).CheckAsync(new() { Service = service });
            Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
        }
    }

    private static string Padded(string base64) => base64.PadRight((base64.Length + 3) / 4 * 4, '=');

    private static async Task<V1.WriteRangeResponse> WriteRangeAsync(V1.Vmos.VmosClient vmos, V1.CallHead head, ulong offset, byte[] bytes)
    {
        using var call = vmos.WriteRange();
        try
        {
            for (var at = 0; at < bytes.Length; at += 200_000)
            {
                var data = ByteString.CopyFrom(bytes.AsSpan(at, Math.Min(200_000, bytes.Length - at)));
                await call.RequestStream.WriteAsync(at == 0 ? new() { Head = head, Offset = offset, Data = data } : new() { Data = data });
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (Exception refused) when (refused is RpcException or InvalidOperationException)
        {
            // The server has answered before everything was sent; the answer says why.
        }

        return await call;
    }
}
