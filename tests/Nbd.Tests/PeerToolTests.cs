using System.Security.Cryptography;
using System.Text.Json;

namespace VmoCluster.Nbd.Tests;

/// <summary>What libnbd's, QEMU's and fio's programs make of a VMO.</summary>
public sealed class PeerToolTests(DiskNode node) : IClassFixture<DiskNode>
{
    private const ulong Mebi = 1 << 20;

    [Fact]
    public async Task Nbdinfo_shows_what_an_export_can_do()
    {
        var vmo = await node.Client.CreateAsync(64 * Mebi, new() { Name = "golden" });
        var said = JsonDocument.Parse(await Peer.RunAsync("nbdinfo", ["--json", node.Uri(vmo)]));
        var export = said.RootElement.GetProperty("exports")[0];
        Assert.True(said.RootElement.GetProperty("structured").GetBoolean());
        Assert.Equal((64 * Mebi, "golden", false), (export.GetProperty("export-size").GetUInt64(), export.GetProperty("description").GetString(), export.GetProperty("is_read_only").GetBoolean()));
        foreach (var can in new[] { "cache", "df", "fast_zero", "flush", "fua", "multi_conn", "trim", "zero" })
            Assert.True(export.GetProperty($"can_{can}").GetBoolean(), can);
        Assert.Equal(["base:allocation", "qemu:allocation-depth", "vmo:owner"], export.GetProperty("contexts").EnumerateArray().Select(name => name.GetString()));
        Assert.Equal((1u, 4096u), (export.GetProperty("block_size_minimum").GetUInt32(), export.GetProperty("block_size_preferred").GetUInt32()));
    }

    [Fact]
    public async Task Nothing_is_listed_and_what_is_no_handle_is_as_unknown_as_one_that_was_closed()
    {
        var vmo = await node.Client.CreateAsync(Mebi);
        Assert.DoesNotContain("export=", await Peer.RunAsync("nbdinfo", ["--list", $"nbd+unix:///?socket={node.Socket}"]), StringComparison.Ordinal);
        var uri = node.Uri(vmo);
        await vmo.CloseAsync();
        var (closed, nonsense) = (await Peer.RunAsync("nbdinfo", [uri], code: 1), await Peer.RunAsync("nbdinfo", [$"nbd+unix:///nonsense?socket={node.Socket}"], code: 1));
        Assert.Contains("No such file or directory", closed, StringComparison.Ordinal);
        Assert.Equal(closed.Split(" for export")[0], nonsense.Split(" for export")[0]);
    }

    [Fact]
    public async Task A_handle_without_WRITE_and_one_that_asks_for_it_are_read_only_disks()
    {
        var vmo = await node.Client.CreateAsync(Mebi);
        var reader = await vmo.DuplicateAsync(VmoRights.Read | VmoRights.GetProperty);
        foreach (var uri in new[] { node.Uri(reader), node.Uri(vmo, "%3freadonly") })
            await Peer.RunAsync("nbdinfo", ["--is", "read-only", uri]);
        await Peer.RunAsync("nbdinfo", ["--is", "read-only", node.Uri(vmo)], code: 2);
    }

    [Fact]
    public async Task Nbdcopy_brings_back_what_it_took_and_the_map_tells_what_was_written()
    {
        var (vmo, there, back) = (await node.Client.CreateAsync(64 * Mebi), node.File("there"), node.File("back"));
        await using (var file = File.Create(there))
        {
            await file.WriteAsync(RandomNumberGenerator.GetBytes((int)(5 * Mebi) + 4096));
            file.SetLength((long)(64 * Mebi));
        }

        await Peer.RunAsync("nbdcopy", ["--destination-is-zero", there, node.Uri(vmo)]);
        await Peer.RunAsync("nbdcopy", [node.Uri(vmo), back]);
        Assert.Equal(await Peer.HashAsync(there), await Peer.HashAsync(back));
        Assert.Equal([(0UL, (5 * Mebi) + 4096, 0u), ((5 * Mebi) + 4096, (59 * Mebi) - 4096, 3u)], await Peer.MapAsync(node.Uri(vmo), "base:allocation"));
    }

    [Fact]
    public async Task Depth_and_owner_tell_whose_bytes_are_shown()
    {
        var root = await node.Client.CreateAsync(4 * Mebi);
        await root.WriteAsync(0, new byte[2 * Mebi].Select(_ => (byte)1).ToArray());
        var middle = await root.CloneAsync(VmoKind.Snapshot);
        var top = await middle.CloneAsync();
        await top.WriteAsync(Mebi, new byte[] { 7 });
        Assert.Equal([(0UL, Mebi, 3u), (Mebi, 4096UL, 1u), (Mebi + 4096, Mebi - 4096, 3u), (2 * Mebi, 2 * Mebi, 0u)], await Peer.MapAsync(node.Uri(top), "qemu:allocation-depth"));
        Assert.Equal(
            [(0UL, Mebi, (uint)root.Koid.Value), (Mebi, 4096UL, (uint)top.Koid.Value), (Mebi + 4096, Mebi - 4096, (uint)root.Koid.Value), (2 * Mebi, 2 * Mebi, 0u)], await Peer.MapAsync(node.Uri(top), "vmo:owner"));
    }

    [Theory]
    [InlineData(VmoKind.Live)]
    [InlineData(VmoKind.Snapshot)]
    public async Task What_is_trimmed_or_zeroed_in_a_clone_shows_zeros_and_nothing_of_what_lies_below(VmoKind kind)
    {
        var root = await node.Client.CreateAsync(4 * Mebi);
        await root.WriteAsync(0, Enumerable.Repeat((byte)1, (int)(2 * Mebi)).ToArray());
        var clone = await root.CloneAsync(kind);
        await Peer.RunAsync("qemu-io", [
            "-f", "raw", "-c", "read -P 1 0 2M", "-c", "discard 64k 64k", "-c", "read -P 0 64k 64k", "-c", "write -z 200001 300007", "-c", "read -P 0 200001 300007",
            "-c", "read -P 1 0 64k", "-c", "write -P 9 1M 3k", "-c", "read -P 9 1M 3k", "-c", "read -P 1 1051648 1k", "-c", "write -f -P 8 2M 1M", "-c", "flush", node.Uri(clone)]);
        await Peer.RunAsync("qemu-io", ["-r", "-f", "raw", "-c", "read -P 1 0 2M", "-c", "read -P 0 2M 2M", node.Uri(root)]);
    }

    [Fact]
    public async Task A_qcow2_image_stands_on_a_disk_and_is_the_image_it_was_made_of()
    {
        var (vmo, raw) = (await node.Client.CreateAsync(64 * Mebi), node.File("raw"));
        await using (var file = File.Create(raw))
        {
            file.Position = (long)Mebi;
            await file.WriteAsync(RandomNumberGenerator.GetBytes((int)(3 * Mebi)));
            file.SetLength((long)(32 * Mebi));
        }

        await Peer.RunAsync("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", raw, node.Uri(vmo)]);
        await Peer.RunAsync("qemu-img", ["compare", "-f", "raw", "-F", "raw", raw, node.Uri(vmo)]);
        await Peer.RunAsync("qemu-img", ["create", "-f", "qcow2", node.Uri(vmo), "32M"]);
        await Peer.RunAsync("qemu-img", ["convert", "-n", "-f", "raw", "-O", "qcow2", raw, node.Uri(vmo)]);
        await Peer.RunAsync("qemu-img", ["compare", "-f", "raw", "-F", "qcow2", raw, node.Uri(vmo)]);
        await Peer.RunAsync("qemu-img", ["check", "-f", "qcow2", node.Uri(vmo)]);
    }

    [Fact]
    public async Task Qemu_io_has_many_requests_under_way_and_finds_each_where_it_was_written()
    {
        var vmo = await node.Client.CreateAsync(64 * Mebi);
        var all = Enumerable.Range(0, 24).ToList();
        var said = await Peer.RunAsync("qemu-io", [
            "-f", "raw", .. all.SelectMany(i => new[] { "-c", $"aio_write -P {i + 1} {i * 2}M 1536k" }), "-c", "aio_flush", .. all.SelectMany(i => new[] { "-c", $"aio_read -P {i + 1} {i * 2}M 1536k" }), "-c", "aio_flush",
            node.Uri(vmo)]);
        // Of what fails meanwhile its exit code does not tell.
        Assert.DoesNotContain("failed", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    public async Task Qemus_bench_reads_and_writes_at_depth_and_its_map_tells_what_is_there(string format)
    {
        var vmo = await node.Client.CreateAsync(64 * Mebi);
        if (format == "qcow2")
            await Peer.RunAsync("qemu-img", ["create", "-f", format, node.Uri(vmo), "32M"]);
        await Peer.RunAsync("qemu-io", ["-f", format, "-c", "write -P 3 4M 1M", node.Uri(vmo)]);
        var there = JsonDocument.Parse(await Peer.RunAsync("qemu-img", ["map", "--output=json", "-f", format, node.Uri(vmo)])).RootElement.EnumerateArray().Where(extent => extent.GetProperty("data").GetBoolean());
        Assert.Equal((4 * Mebi, Mebi), (there.First().GetProperty("start").GetUInt64(), there.Aggregate(0UL, (sum, extent) => sum + extent.GetProperty("length").GetUInt64())));
        // Writes with a flush now and then, behind and over each other; reads of what is there and of what is not.
        foreach (var arguments in new[] { new[] { "-w", "--flush-interval=64", "-s", "4096", "-S", "69632" }, ["-s", "65536"], ["-w", "-s", "131072", "--pattern=7"] })
            Assert.Contains("Run completed", await Peer.RunAsync("qemu-img", ["bench", "-f", format, "-c", "1000", "-d", "32", "-t", "none", .. arguments, node.Uri(vmo)]), StringComparison.Ordinal);
        await Peer.RunAsync("qemu-io", ["-f", format, "-c", "read -P 7 0 28M", node.Uri(vmo)]);
        if (format == "qcow2")
            await Peer.RunAsync("qemu-img", ["check", "-f", format, node.Uri(vmo)]);
        var map = JsonDocument.Parse(await Peer.RunAsync("qemu-img", ["map", "--output=json", "-f", format, node.Uri(vmo)])).RootElement.EnumerateArray();
        Assert.Equal(format == "raw" ? 64 * Mebi : 32 * Mebi, map.Aggregate(0UL, (sum, extent) => sum + extent.GetProperty("length").GetUInt64()));
        Assert.True(map.First().GetProperty("data").GetBoolean());
    }

    [Fact]
    public async Task Fio_reads_back_what_it_wrote_at_random_over_four_connections()
    {
        var vmo = await node.Client.CreateAsync(64 * Mebi);
        var said = await Peer.RunAsync("fio", [
            "--name=verify", "--ioengine=nbd", $"--uri={node.Uri(vmo)}", "--rw=randwrite", "--bsrange=512-64k", "--blockalign=512", "--size=16m", "--offset_increment=16m", "--numjobs=4", "--iodepth=32",
            "--verify=crc32c", "--verify_fatal=1", "--verify_backlog=512", "--group_reporting", "--thread", "--randseed=7"]);
        Assert.Contains("err= 0", said, StringComparison.Ordinal);
    }
}
