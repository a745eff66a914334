using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using VmoCluster.Client.Tests.Model;
using VmoCluster.Messages;

namespace VmoCluster.Client.Tests.Door;

/// <summary>Clones, trees, explanations and scrubs through gRPC and the door.</summary>
public sealed class FamilyOverTheWireTests
{
    [Fact]
    public async Task Every_field_of_a_clone_call_arrives_as_it_went()
    {
        await using var door = await DoorHost.StartAsync();
        await using var client = door.Connect();
        var vmo = await client.CreateAsync(4 * 4096, new() { Name = "parent" });
        CloneSpec[] specs =
        [
            new() { Kind = VmoKind.Snapshot, Offset = 4096, Size = ulong.MaxValue >> 40, NonResizable = true, NoWrite = true, Rights = VmoRights.None, Name = "", Zero = [new(0, 1), new(8192, 4096)] },
            new() { SeedOptions = 3, Size = 4096, Name = "zwei ü" },
            new() { Kind = VmoKind.Reference },
        ];
        var clones = await vmo.CloneManyAsync(specs);
        var arrived = door.Cluster.LastClone!;
        Assert.Equal((3, true), (arrived.Count, arrived.Confirmed));
        Assert.Equal(specs.Select(spec => spec with { Zero = null }), arrived.Specs.Select(spec => spec with { Zero = null }));
        Assert.Equal(specs[0].Zero, arrived.Specs[0].Zero);
        Assert.Null(arrived.Specs[1].Zero);
        Assert.Equal(["zwei ü", "parent"], [await clones[1].GetNameAsync(), await clones[2].GetNameAsync()]);
        Assert.Equal(4 * 4096UL, await clones[2].GetSizeAsync());
    }

    [Fact]
    public async Task Ten_thousand_clones_come_in_one_answer()
    {
        await using var door = await DoorHost.StartAsync();
        await using var client = door.Connect();
        var vmo = await client.CreateAsync(4096);
        await vmo.WriteAsync(0, new byte[] { 9 });
        var clones = await vmo.CloneManyAsync(Limits.CloneCountMax, VmoKind.Snapshot);
        var bytes = new byte[1];
        await clones[^1].ReadAsync(0, bytes);
        Assert.Equal(9, bytes[0]);
        Assert.Equal(vmo.Rights, clones[^1].Rights);
        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => vmo.CloneManyAsync(Limits.CloneCountMax + 1));
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync(4, 0, 4096));
        await Setup.RefusedAsync(VmoStatus.InvalidArgs, () => vmo.CloneAsync((VmoKind)255));
    }

    [Fact]
    public async Task A_foreign_caller_gets_the_handles_or_works_them_out_from_its_seed()
    {
        await using var door = await DoorHost.StartAsync();
        using var channel = GrpcChannel.ForAddress(door.Address);
        var vmos = new V1.Vmos.VmosClient(channel);
        var head = new V1.CallHead { Handle = (await vmos.CreateAsync(new() { Size = 8192, Confirmed = true })).Handle };
        var spec = new V1.CloneSpec { Kind = 2, Size = 5000 };
        var made = await vmos.CloneAsync(new() { Head = head, Specs = { spec }, Count = 3, Confirmed = true });
        Assert.Equal((3, 8192UL), (made.Handles.Count, made.Size));
        var handles = made.Handles.Select(text => VmoHandle.Parse(text)).ToArray();
        Assert.Equal([made.FirstKoid, made.FirstKoid + 1, made.FirstKoid + 2], handles.Select(handle => handle.Koid.Value));
        Assert.Equal(8192UL, (await vmos.GetSizeAsync(new() { Head = new() { Handle = made.Handles[2] } })).Size);

        byte[] seed = [.. Enumerable.Range(1, HandleSecret.Bytes).Select(i => (byte)i)];
        made = await vmos.CloneAsync(new() { Head = head, Specs = { spec, spec }, Count = 2, Seed = ByteString.CopyFrom(seed), WithoutHandles = true });
        Assert.Empty(made.Handles);

        // As the proto's comment says it, without our own code.
        var secret = System.Security.Cryptography.SHA256.HashData([.. seed, .. "child"u8, 0, 0, 0, 1])[..16];
        var handle = new VmoHandle(new(made.FirstKoid + 1), HandleSecret.Read(secret));
        Assert.Equal(8192UL, (await vmos.GetSizeAsync(new() { Head = new() { Handle = handle.Reveal() } })).Size);
    }

    [Fact]
    public async Task A_clone_request_that_makes_no_sense_is_refused_at_the_door()
    {
        await using var door = await DoorHost.StartAsync();
        using var channel = GrpcChannel.ForAddress(door.Address);
        var vmos = new V1.Vmos.VmosClient(channel);
        var head = new V1.CallHead { Handle = (await vmos.CreateAsync(new() { Size = 4096, Confirmed = true })).Handle };
        var spec = new V1.CloneSpec { Kind = 1, Size = 4096 };
        var withId = new V1.CallHead { Handle = head.Handle, Request = new() { Client = 1, Sequence = 1 } };
        await RefusedAsync(VmoStatus.OutOfRange, new() { Head = head, Specs = { spec } });
        await RefusedAsync(VmoStatus.OutOfRange, new() { Head = head, Specs = { spec }, Count = 10_001 });
        await RefusedAsync(VmoStatus.OutOfRange, new() { Head = head, Specs = { spec }, Count = uint.MaxValue });
        await RefusedAsync(VmoStatus.InvalidArgs, new() { Head = head, Count = 1 });
        await RefusedAsync(VmoStatus.InvalidArgs, new() { Head = head, Specs = { spec, spec }, Count = 3 });
        await RefusedAsync(VmoStatus.InvalidArgs, new() { Head = head, Specs = { spec }, Count = 1, WithoutHandles = true });
        await RefusedAsync(VmoStatus.InvalidArgs, new() { Head = withId, Specs = { spec }, Count = 1 });
        await RefusedAsync(VmoStatus.InvalidArgs, new() { Head = head, Specs = { spec }, Count = 1, Seed = ByteString.CopyFrom(1, 2) });
        await RefusedAsync(VmoStatus.InvalidArgs, new() { Head = head, Specs = { spec }, Count = 1, Seed = ByteString.CopyFrom(new byte[16]) });
        await RefusedAsync(VmoStatus.InvalidArgs, new() { Head = head, Specs = { new V1.CloneSpec { Kind = 1u << 20 | 1 } }, Count = 1 });
        await RefusedAsync(VmoStatus.BadHandle, new() { Specs = { spec }, Count = 1 });
        Assert.Equal(1, door.Cluster.VmoCount);

        async Task RefusedAsync(VmoStatus status, V1.CloneRequest request)
        {
            var error = await Assert.ThrowsAsync<RpcException>(async () => await vmos.CloneAsync(request));
            Assert.True(RpcStatus.TryRead(error, out var outcome), error.ToString());
            Assert.Equal(status, outcome.Status);
        }
    }

    [Fact]
    public async Task Trees_and_explanations_say_the_same_as_without_a_wire()
    {
        await using var door = await DoorHost.StartAsync();
        await using var near = new VmoClient(door.Cluster, new(), ownsTransport: false);
        await using var far = door.Connect();
        var root = await near.CreateAsync(3 * 4096, new() { Name = "" });
        await root.WriteAsync(4096, new byte[] { 1 });
        var middle = await root.CloneAsync(VmoKind.Snapshot, 4096);
        await middle.CloneManyAsync(9, options: new() { Name = "ü" });
        var there = far.Open(middle.Handle);
        Assert.Equal(await FamilyTests.AllAsync(middle.TreeAsync()), await FamilyTests.AllAsync(there.TreeAsync()));
        Assert.Equal("", (await FamilyTests.AllAsync(far.Open(root.Handle).TreeAsync()))[0].Name);
        foreach (var page in new ulong[] { 0, 1 })
        {
            var (here, over) = (await middle.ExplainAsync(page), await there.ExplainAsync(page));
            Assert.Equal((here.Levels, here.Blob, here.Charged), (over.Levels, over.Blob, over.Charged), (a, b) =>
                a.Levels.SequenceEqual(b.Levels) && a.Blob == b.Blob && a.Charged.SequenceEqual(b.Charged));
        }

        await Setup.RefusedAsync(VmoStatus.OutOfRange, () => there.ExplainAsync(2));
    }

    [Fact]
    public async Task A_scrub_is_the_operators_and_its_findings_arrive()
    {
        await using var door = await DoorHost.StartAsync();
        await using var nobody = door.Connect();
        await using var client = door.Connect(DoorHost.OperatorToken);
        var root = await client.CreateAsync(4096);
        await root.CloneManyAsync(2);
        var other = await client.CreateAsync(4096);
        door.Cluster.Damage.Add(new(root.Koid, "checksum", "page 3: ünreadable"));
        door.Cluster.Damage.Add(new(other.Koid, "orphan-blob", ""));
        var walk = client.ScrubAsync();
        Assert.Equal(door.Cluster.Damage, await FamilyTests.AllAsync(walk));
        Assert.Equal((40L, 2L), (walk.Checked, walk.Findings));
        walk = client.ScrubAsync(root.Koid, bytes: false);
        await FamilyTests.AllAsync(walk);
        Assert.Equal((3L, 1L), (walk.Checked, walk.Findings));
        var before = door.Cluster.AttemptsOf("scrub").Length;
        await Setup.RefusedAsync(VmoStatus.AccessDenied, () => FamilyTests.AllAsync(nobody.ScrubAsync()));
        await Setup.RefusedAsync(VmoStatus.AccessDenied, () => FamilyTests.AllAsync(nobody.ScrubAsync(root.Koid)));
        Assert.Equal(before, door.Cluster.AttemptsOf("scrub").Length);
    }
}
