using System.Buffers.Binary;
using VmoCluster.Client;
using VmoCluster.Harness;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>Disks of VMOs far down in a family, and on another silo than the one that is asked; and what becomes of one whose silo dies.</summary>
public sealed class ClusterDiskTests(DiskCluster cluster) : IClassFixture<DiskCluster>
{
    private const int Page = Limits.PageBytes;
    private const int Pages = 256;

    [Theory]
    [InlineData(VmoKind.Live, 0)]
    [InlineData(VmoKind.Live, 1)]
    [InlineData(VmoKind.Live, 16)]
    [InlineData(VmoKind.Live, 256)]
    [InlineData(VmoKind.Snapshot, 1)]
    [InlineData(VmoKind.Snapshot, 16)]
    [InlineData(VmoKind.Snapshot, 256)]
    public async Task A_disk_shows_its_bytes_and_takes_new_ones_at_any_depth_through_any_silo(VmoKind kind, int depth)
    {
        var (vmo, right, _, _) = await Chain.MakeAsync(cluster.Client, kind, depth, Pages, Pages);
        Assert.Equal(right, await ReadAsync(vmo, 0));
        Assert.Equal(right, await ReadAsync(vmo, 1));
        // Each silo writes what the other shows; one of them does not own the VMO.
        for (var silo = 0; silo < 2; silo++)
        {
            var (at, fill) = ((100 + silo) * Page, (byte)(0xA0 + silo));
            await Peer.RunAsync("qemu-io", ["-f", "raw", "-c", $"write -P {fill} {at} {Page}", "-c", $"discard {7 * Page} {Page}", cluster.Uri(vmo, silo)]);
            right.AsSpan(at, Page).Fill(fill);
            right.AsSpan(7 * Page, Page).Clear();
            Assert.Equal(right, await ReadAsync(vmo, 1 - silo));
        }
    }

    // What makes MULTI_CONN true: what one connection was told is written, the other shows, through another silo and without a flush.
    [Fact]
    public async Task Two_connections_through_two_silos_are_one_disk()
    {
        var vmo = await cluster.Client.CreateAsync(1 << 20);
        using var first = await RawClient.OpenAsync(cluster.Socket(0), vmo.Handle.Reveal());
        using var second = await RawClient.OpenAsync(cluster.Socket(1), vmo.Handle.Reveal());
        for (var round = 0; round < 200; round++)
        {
            var (writer, reader) = round % 2 == 0 ? (first, second) : (second, first);
            var page = Enumerable.Repeat((byte)(round + 1), Page).ToArray();
            await writer.SendAsync(RawClient.Request(NbdCommand.Write, (ulong)(round % 7) * Page, Page), page);
            Assert.Equal(NbdError.None, (await writer.ReceiveSimpleAsync()).Error);
            await reader.SendAsync(RawClient.Request(NbdCommand.Read, (ulong)(round % 7) * Page, Page));
            Assert.Equal(NbdError.None, (await reader.ReceiveSimpleAsync()).Error);
            Assert.Equal(page, await reader.ReceiveAsync(Page));
        }
    }

    [Fact]
    public async Task A_killed_owner_is_a_pause_to_fio_and_no_error()
    {
        var vmos = await OnEachAsync();
        var (served, dies) = (0, 1);
        var running = Task.WhenAll(vmos.Select(vmo => Peer.RunAsync("fio", [
            "--name=verify", "--ioengine=nbd", $"--uri={cluster.Uri(vmo, served)}", "--rw=randwrite", "--bs=4k", "--size=48m", "--iodepth=32", "--rate_iops=1500",
            "--verify=crc32c", "--verify_fatal=1", "--randseed=7"])));
        await Task.Delay(TimeSpan.FromSeconds(2));
        Assert.False(running.IsCompleted, "fio had ended before anything was killed");
        await cluster.Cluster.Silos[dies].KillAsync();
        try
        {
            foreach (var said in await running)
                Assert.Contains("err= 0", said, StringComparison.Ordinal);
        }
        finally
        {
            await cluster.Cluster.Silos[dies].RestartAsync();
            await cluster.Cluster.WaitForMembersAsync(2);
        }
    }

    // Large ones, of which each is many calls, and those that are neither reads nor writes.
    [Fact]
    public async Task A_killed_owner_is_a_pause_to_every_command()
    {
        const uint Large = 8 << 20, Mebi = 1 << 20;
        var vmo = (await OnEachAsync())[1];
        var right = new byte[4 * Large];
        new Random(5).NextBytes(right);
        await vmo.WriteAsync(0, right.AsMemory(0, (int)(2 * Large)));
        using var disk = new RawClient(cluster.Socket(0));
        await disk.GreetAsync();
        await disk.AskAsync(NbdOption.StructuredReply);
        await disk.AskAsync(NbdOption.SetMetaContext, RawClient.Text(vmo.Handle.Reveal()), RawClient.U32(1), RawClient.Text("base:allocation"));
        Assert.Equal(NbdOptionReply.Ack, (await disk.AskAsync(NbdOption.Go, RawClient.Text(vmo.Handle.Reveal()), RawClient.U16(0)))[^1].Kind);
        await cluster.Cluster.Silos[1].KillAsync();
        try
        {
            var sending = disk.SendAsync(
                RawClient.Request(NbdCommand.Read, 0, Large, 1), RawClient.Request(NbdCommand.Write, 2 * Large, 2 * Large, 2), right[(int)(2 * Large)..],
                RawClient.Request(NbdCommand.Trim, Large, Mebi, 3), RawClient.Request(NbdCommand.WriteZeroes, Large + (2 * Mebi) + 512, Mebi, 4), RawClient.Request(NbdCommand.Cache, 0, Large, 5),
                RawClient.Request(NbdCommand.BlockStatus, 0, Large, 6));
            var (read, done) = (new byte[Large], new HashSet<ulong>());
            while (done.Count < 6)
            {
                var chunk = await disk.ReceiveChunkAsync();
                Assert.NotEqual(NbdChunk.Error, chunk.Kind);
                if (chunk.Kind == NbdChunk.OffsetData)
                    chunk.Data.AsSpan(8).CopyTo(read.AsSpan((int)BinaryPrimitives.ReadUInt64BigEndian(chunk.Data)));
                if (chunk.Kind == NbdChunk.BlockStatus)
                    Assert.Equal((Large, 0u), (BinaryPrimitives.ReadUInt32BigEndian(chunk.Data.AsSpan(4)), BinaryPrimitives.ReadUInt32BigEndian(chunk.Data.AsSpan(8))));
                if (chunk.IsLast)
                    Assert.True(done.Add(chunk.Cookie));
            }

            await sending;
            Assert.Equal(right[..(int)Large], read);
            right.AsSpan((int)Large, (int)Mebi).Clear();
            right.AsSpan((int)(Large + (2 * Mebi) + 512), (int)Mebi).Clear();
            var shown = new byte[right.Length];
            await vmo.ReadAsync(0, shown);
            Assert.True(right.AsSpan().SequenceEqual(shown), $"differs at {right.AsSpan().CommonPrefixLength(shown)}");
        }
        finally
        {
            await cluster.Cluster.Silos[1].RestartAsync();
            await cluster.Cluster.WaitForMembersAsync(2);
        }
    }

    // Requests in flight when all ends at once are whole or not there; what was answered is there, with FUA and, as each write is durable before it is answered, without.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task P3_What_was_answered_is_there_after_Redis_and_all_silos_were_killed(bool isForced)
    {
        const ulong first = 1000;
        // With everysec it may answer up to 2 s before it has written anything, while a sync is slow.
        await cluster.Cluster.Redis.CommandAsync("CONFIG", "SET", "appendfsync", "always");
        var vmo = await cluster.Client.CreateAsync(Pages * Page);
        var acknowledged = new ulong[Pages];
        var sent = first;
        using (var disk = await RawClient.OpenAsync(cluster.Socket(isForced ? 0 : 1), vmo.Handle.Reveal()))
        {
            // Its number is a request's cookie and the content of its page.
            async Task SendAsync() => await disk.SendAsync(
                RawClient.Request(NbdCommand.Write, sent % Pages * Page, Page, sent, isForced ? NbdCommandFlags.ForceUnitAccess : NbdCommandFlags.None), RawClient.PageOf(sent++));
            for (var i = 0; i < 16; i++)
                await SendAsync();
            for (var answers = 0; answers < 500; answers++)
            {
                var (error, cookie) = await disk.ReceiveSimpleAsync();
                Assert.Equal(NbdError.None, error);
                acknowledged[cookie % Pages] = cookie;
                await SendAsync();
            }

            if (!isForced)
            {
                await disk.SendAsync(RawClient.Request(NbdCommand.Flush, 0, 0, 1));
                for (ulong answered = 0; answered != 1;)
                {
                    (var error, answered) = await disk.ReceiveSimpleAsync();
                    Assert.Equal(NbdError.None, error);
                    if (answered >= first)
                        acknowledged[answered % Pages] = answered;
                }
            }

            await cluster.Cluster.Redis.KillAsync();
            foreach (var silo in cluster.Cluster.Silos)
                await silo.KillAsync();
        }

        await cluster.Cluster.Redis.RestartAsync();
        await cluster.Cluster.RestoreAsync();
        var shown = await ReadAsync(vmo, 0);
        for (var page = 0; page < Pages; page++)
        {
            var bytes = shown.AsSpan(page * Page, Page);
            var value = BinaryPrimitives.ReadUInt64BigEndian(bytes);
            Assert.True(value >= acknowledged[page], $"page {page} shows {value}, and {acknowledged[page]} was answered");
            Assert.True(value < sent && (value == 0 || value % Pages == (ulong)page), $"page {page} shows {value}, which was not written there");
            Assert.True(bytes.SequenceEqual(value == 0 ? new byte[Page] : RawClient.PageOf(value)), $"page {page} is torn");
        }
    }

    // Which silo a VMO comes to live on is Orleans' choice: some are made until one lives on each.
    private async Task<Vmo[]> OnEachAsync()
    {
        var vmos = new Vmo?[2];
        await Eventually.UntilAsync("a VMO on each silo", async () =>
        {
            var vmo = await cluster.Client.CreateAsync(64 << 20);
            await vmo.WriteAsync(0, new byte[] { 1 });
            if (await cluster.OwnerAsync(vmo) is >= 0 and var owner)
                vmos[owner] = vmo;
            return vmos.All(found => found is not null);
        });
        return [.. vmos.OfType<Vmo>()];
    }

    private async Task<byte[]> ReadAsync(Vmo vmo, int silo)
    {
        var file = cluster.File($"read-{Guid.NewGuid():n}");
        await Peer.RunAsync("nbdcopy", [cluster.Uri(vmo, silo), file]);
        var bytes = await File.ReadAllBytesAsync(file);
        File.Delete(file);
        return bytes;
    }
}
