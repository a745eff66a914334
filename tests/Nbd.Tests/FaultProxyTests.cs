using System.Diagnostics;
using VmoCluster.Harness;

namespace VmoCluster.Nbd.Tests;

/// <summary>Others' faults, by nbdkit between a client and the node: what is cut, delayed or failed there does no harm here.</summary>
public sealed class FaultProxyTests(DiskNode node) : IClassFixture<DiskNode>
{
    [Theory]
    [InlineData("delay", "rdelay=2ms", "wdelay=5ms")]
    [InlineData("blocksize", "minblock=4096", "maxdata=64k")]
    [InlineData("retry", "--filter=error", "error-pwrite-rate=0.5%", "error=EIO", "retries=20", "retry-delay=1", "retry-exponential=no")]
    public async Task Behind_a_proxy_that_delays_splits_or_fails_requests_a_disk_is_what_was_written(string filter, params string[] settings)
    {
        var (vmo, socket) = (await node.Client.CreateAsync(16 << 20), node.File($"proxy-{filter}"));
        string[] filters = [$"--filter={filter}", .. settings.Where(setting => setting.StartsWith("--", StringComparison.Ordinal))];
        using var proxy = ChildProcess.Start(new ProcessStartInfo("nbdkit", [
            "--foreground", "--unix", socket, .. filters, "nbd", $"socket={node.Socket}", $"export={vmo.Handle.Reveal()}",
            .. settings.Where(setting => !setting.StartsWith("--", StringComparison.Ordinal))]));
        try
        {
            await Eventually.UntilAsync("the proxy listens", () => proxy.HasExited ? throw new InvalidOperationException("nbdkit ended") : Task.FromResult(File.Exists(socket)));
            var said = await Peer.RunAsync("fio", [
                "--name=verify", "--ioengine=nbd", $"--uri=nbd+unix:///?socket={socket}", "--rw=randwrite", "--bs=4k", "--size=4m", "--iodepth=16", "--verify=crc32c", "--verify_fatal=1", "--randseed=7"]);
            Assert.Contains("err= 0", said, StringComparison.Ordinal);
            await Peer.RunAsync("qemu-img", ["compare", "-f", "raw", "-F", "raw", $"nbd+unix:///?socket={socket}", node.Uri(vmo)]);
        }
        finally
        {
            proxy.Kill();
            await proxy.WaitForExitAsync();
        }
    }

    [Fact]
    public async Task A_client_that_is_killed_in_the_middle_of_writes_leaves_a_disk_that_the_next_one_uses()
    {
        var vmo = await node.Client.CreateAsync(64 << 20);
        var given = await vmo.DuplicateAsync(VmoRights.Read | VmoRights.Write | VmoRights.GetProperty);
        for (var i = 0; i < 5; i++)
        {
            using var killed = ChildProcess.Start(new ProcessStartInfo("fio", [
                "--name=w", "--ioengine=nbd", $"--uri={node.Uri(given)}", "--rw=randwrite", "--bs=64k", "--size=64m", "--iodepth=32", "--time_based", "--runtime=60"]) { RedirectStandardOutput = true });
            var before = (await vmo.GetInfoAsync()).Version;
            await Eventually.UntilAsync("it writes", async () => (await vmo.GetInfoAsync()).Version > before);
            killed.Kill();
            await killed.WaitForExitAsync();
        }

        // What the last one had sent may still be done, as by any server of disks: whoever must not be overtaken revokes the handle first.
        await given.RevokeAsync();
        await Peer.RunAsync("qemu-io", ["-f", "raw", "-c", "write -P 5 0 1M", "-c", "read -P 5 0 1M", node.Uri(vmo)]);
    }

    [Fact]
    public async Task Ten_thousand_connects_one_after_the_other_leave_a_node_that_serves()
    {
        var vmo = await node.Client.CreateAsync(1 << 20);
        await Peer.RunAsync("/usr/bin/python3", ["-c", """
            import nbd, sys
            for i in range(10000):
                h = nbd.NBD()
                h.connect_uri(sys.argv[1])
                if i % 100 == 0:
                    h.pread(512, 0)
                if i % 2 == 0:
                    h.shutdown()
                del h
            """, node.Uri(vmo)]);
        Assert.False(node.Silo.HasExited);
        await Peer.RunAsync("qemu-io", ["-f", "raw", "-c", "write -P 5 0 64k", "-c", "read -P 5 0 64k", node.Uri(vmo)]);
    }
}
