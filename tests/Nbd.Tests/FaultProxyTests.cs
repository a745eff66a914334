using System.Diagnostics;
using VmoCluster.Client;
using VmoCluster.Harness;
using VmoCluster.NbdDoor.Wire;

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
        using var proxy = Start(vmo, socket, [$"--filter={filter}", .. settings]);
        try
        {
            await ListensAsync(proxy, socket);
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
    public async Task An_error_on_the_way_reaches_the_client_and_the_next_request_is_served()
    {
        var (vmo, socket) = (await node.Client.CreateAsync(1 << 20), node.File("proxy-error"));
        await vmo.WriteAsync(0, Enumerable.Repeat((byte)9, 1 << 20).ToArray());
        using var proxy = Start(vmo, socket, ["--filter=error", "error-pwrite=EIO", "error-pwrite-rate=100%"]);
        try
        {
            await ListensAsync(proxy, socket);
            var disk = $"nbd+unix:///?socket={socket}";
            Assert.Contains("Input/output error", await Peer.RunAsync("qemu-io", ["-f", "raw", "-c", "write -P 7 0 64k", "-c", "read -P 9 0 1M", disk], code: 1), StringComparison.Ordinal);
            await Peer.RunAsync("qemu-io", ["-f", "raw", "-c", "read -P 9 0 1M", disk]);
        }
        finally
        {
            proxy.Kill();
            await proxy.WaitForExitAsync();
        }
    }

    // Each page is written once: what the one before had on its way cannot come over what the next was told is done.
    [Fact]
    public async Task What_was_acknowledged_through_a_proxy_that_is_killed_and_started_again_is_there()
    {
        const int Page = Limits.PageBytes, Lives = 4, UnderWay = 64, Answers = 200, Pages = Lives * (Answers + UnderWay);
        var (vmo, socket) = (await node.Client.CreateAsync(Pages * Page), node.File("proxy-killed"));
        var (sent, acknowledged) = (0ul, new HashSet<ulong>());
        for (var life = 0; life < Lives; life++)
        {
            File.Delete(socket);
            using var proxy = Start(vmo, socket, []);
            try
            {
                await ListensAsync(proxy, socket);
                using var disk = await RawClient.OpenAsync(socket, "");
                async Task SendAsync() => await disk.SendAsync(RawClient.Request(NbdCommand.Write, sent * Page, Page, sent), RawClient.PageOf(++sent));
                for (var i = 0; i < UnderWay; i++)
                    await SendAsync();
                for (var i = 0; i < Answers; i++)
                {
                    var (error, cookie) = await disk.ReceiveSimpleAsync();
                    Assert.Equal(NbdError.None, error);
                    Assert.True(acknowledged.Add(cookie));
                    await SendAsync();
                }
            }
            finally
            {
                proxy.Kill();
                await proxy.WaitForExitAsync();
            }
        }

        var shown = new byte[Pages * Page];
        await vmo.ReadAsync(0, shown);
        for (var page = 0ul; page < Pages; page++)
        {
            var isThere = shown.AsSpan((int)page * Page, Page).SequenceEqual(RawClient.PageOf(page + 1));
            Assert.True(isThere || (!acknowledged.Contains(page) && !shown.AsSpan((int)page * Page, Page).ContainsAnyExcept((byte)0)), $"page {page} is another; acknowledged: {acknowledged.Contains(page)}");
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

    // Its filters, and what they are told.
    private Process Start(Vmo vmo, string socket, string[] settings) => ChildProcess.Start(new ProcessStartInfo("nbdkit", [
        "--foreground", "--unix", socket, .. settings.Where(setting => setting.StartsWith("--", StringComparison.Ordinal)), "nbd", $"socket={node.Socket}", $"export={vmo.Handle.Reveal()}",
        .. settings.Where(setting => !setting.StartsWith("--", StringComparison.Ordinal))]));

    private static Task ListensAsync(Process proxy, string socket) =>
        Eventually.UntilAsync("the proxy listens", () => proxy.HasExited ? throw new InvalidOperationException("nbdkit ended") : Task.FromResult(File.Exists(socket)));
}
