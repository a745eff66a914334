using System.Security.Cryptography;
using System.Text.Json;

namespace VmoCluster.Nbd.Tests;

/// <summary>What libnbd's, QEMU's and fio's programs make of clones at any depth, through the silo that has the VMO and through the other.</summary>
public sealed class ToolMatrixTests(DiskCluster cluster) : IClassFixture<DiskCluster>
{
    private const int Page = Limits.PageBytes;
    private const int Mebi = 1 << 20;
    private const int DiskBytes = 16 * Mebi;

    [Theory]
    [InlineData(VmoKind.Live, 0)]
    [InlineData(VmoKind.Live, 1)]
    [InlineData(VmoKind.Live, 16)]
    [InlineData(VmoKind.Live, 256)]
    [InlineData(VmoKind.Snapshot, 1)]
    [InlineData(VmoKind.Snapshot, 16)]
    [InlineData(VmoKind.Snapshot, 256)]
    public async Task Each_tool_finds_what_was_written_and_what_it_writes_itself_at_any_depth_through_any_silo(VmoKind kind, int depth)
    {
        var chain = await Chain.MakeAsync(cluster.Client, kind, depth, DiskBytes / Page, rootPages: DiskBytes / Page / 2);
        // One of the two has the VMO, the other has not.
        for (var silo = 0; silo < 2; silo++)
            await FindAsync(chain, cluster.Uri(chain.Vmo, silo));
        for (var silo = 0; silo < 2; silo++)
        {
            var (here, there) = (cluster.Uri(chain.Vmo, silo), cluster.Uri(chain.Vmo, 1 - silo));
            await CopyAsync(here, there);
            await WriteAtDepthAsync(here, there);
            await PutImageAsync(here, there);
        }
    }

    private async Task FindAsync(Chain chain, string disk)
    {
        var export = JsonDocument.Parse(await Peer.RunAsync("nbdinfo", ["--json", disk])).RootElement.GetProperty("exports")[0];
        Assert.Equal(((ulong)DiskBytes, false), (export.GetProperty("export-size").GetUInt64(), export.GetProperty("is_read_only").GetBoolean()));
        foreach (var can in new[] { "cache", "df", "fast_zero", "flush", "fua", "multi_conn", "trim", "zero" })
            Assert.True(export.GetProperty($"can_{can}").GetBoolean(), can);

        var depth = chain.Line.Count;
        Assert.Equal(chain.Map(writer => writer < 0 ? 3u : 0), await Peer.MapAsync(disk, "base:allocation"));
        Assert.Equal(chain.Map(writer => writer < 0 ? 0 : (uint)(depth - writer)), await Peer.MapAsync(disk, "qemu:allocation-depth"));
        Assert.Equal(chain.Map(writer => writer < 0 ? 0 : (uint)chain.Line[writer].Value), await Peer.MapAsync(disk, "vmo:owner"));
        var there = JsonDocument.Parse(await Peer.RunAsync("qemu-img", ["map", "--output=json", "-f", "raw", disk])).RootElement.EnumerateArray()
            .Where(extent => extent.GetProperty("data").GetBoolean()).Select(extent => (extent.GetProperty("start").GetUInt64(), extent.GetProperty("length").GetUInt64()));
        Assert.Equal(chain.Map(writer => writer < 0 ? 3u : 0).Where(extent => extent.Status == 0).Select(extent => (extent.Start, extent.Length)), there);

        var (copied, converted) = (cluster.File("copied"), cluster.File("converted"));
        await Peer.RunAsync("nbdcopy", [disk, copied]);
        await Peer.RunAsync("qemu-img", ["convert", "-f", "raw", "-O", "raw", disk, converted]);
        foreach (var file in new[] { copied, converted })
        {
            Assert.Equal(chain.Right, await File.ReadAllBytesAsync(file));
            await Peer.RunAsync("qemu-img", ["compare", "-f", "raw", "-F", "raw", file, disk]);
            File.Delete(file);
        }
    }

    private async Task CopyAsync(string here, string there)
    {
        var (image, back) = (await ImageAsync(at: Mebi, DiskBytes), cluster.File("back"));
        await Peer.RunAsync("nbdcopy", [image, here]);
        await Peer.RunAsync("nbdcopy", [there, back]);
        Assert.Equal(await Peer.HashAsync(image), await Peer.HashAsync(back));
        image = await ImageAsync(at: 5 * Mebi, DiskBytes);
        await Peer.RunAsync("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", image, here]);
        await Peer.RunAsync("qemu-img", ["compare", "-f", "raw", "-F", "raw", image, there]);
    }

    private static async Task WriteAtDepthAsync(string here, string there)
    {
        var all = Enumerable.Range(0, 24).ToList();
        var reads = all.SelectMany(i => new[] { "-c", $"aio_read -P {i + 1} {i * 512}k 300k" }).ToList();
        var said = await Peer.RunAsync("qemu-io", ["-f", "raw", .. all.SelectMany(i => new[] { "-c", $"aio_write -P {i + 1} {i * 512}k 300k" }), "-c", "aio_flush", .. reads, "-c", "aio_flush", here]);
        said += await Peer.RunAsync("qemu-io", ["-r", "-f", "raw", .. reads, "-c", "aio_flush", there]);
        // Of what fails meanwhile its exit code does not tell.
        Assert.DoesNotContain("failed", said, StringComparison.Ordinal);
        Assert.Contains("Run completed", await Peer.RunAsync("qemu-img", ["bench", "-f", "raw", "-c", "256", "-d", "32", "-t", "none", "-w", "--flush-interval=64", "-s", "4096", "-S", "69632", here]), StringComparison.Ordinal);
        said = await Peer.RunAsync("fio", [
            "--name=verify", "--ioengine=nbd", $"--uri={here}", "--rw=randwrite", "--bs=4k", "--size=2m", "--offset_increment=2m", "--numjobs=4", "--iodepth=32", "--verify=crc32c", "--verify_fatal=1",
            "--group_reporting", "--thread", "--randseed=7"]);
        Assert.Contains("err= 0", said, StringComparison.Ordinal);
    }

    private async Task PutImageAsync(string here, string there)
    {
        var image = await ImageAsync(at: Mebi, DiskBytes / 2);
        await Peer.RunAsync("qemu-img", ["create", "-f", "qcow2", here, "8M"]);
        await Peer.RunAsync("qemu-img", ["convert", "-n", "-f", "raw", "-O", "qcow2", image, here]);
        await Peer.RunAsync("qemu-img", ["check", "-f", "qcow2", here]);
        await Peer.RunAsync("qemu-img", ["compare", "-f", "raw", "-F", "qcow2", image, there]);
    }

    // 3 MiB of random bytes, and nothing around them.
    private async Task<string> ImageAsync(int at, int size)
    {
        var image = cluster.File("image");
        await using var file = File.Create(image);
        file.Position = at;
        await file.WriteAsync(RandomNumberGenerator.GetBytes(3 * Mebi));
        file.SetLength(size);
        return image;
    }
}
