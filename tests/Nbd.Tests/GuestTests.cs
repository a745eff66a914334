using System.Text.RegularExpressions;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Nbd.Tests;

/// <summary>One image, a fork for each machine: what the product is for, with machines that are real but for their processor (QEMU's TCG).</summary>
public sealed partial class GuestTests(GuestKernel kernel) : IClassFixture<GuestKernel>, IDisposable
{
    private const int Guests = 8;

    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-guests-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Eight_guests_on_eight_forks_of_one_image_write_and_leave_clean_disks_and_the_image_as_it_was()
    {
        await using var silo = await SiloProcess.StartAsync(new() { Arguments = ["--nbd", "127.0.0.1:0"] });
        await using var client = VmoClient.Connect(new() { Endpoints = [silo.Endpoint], Deadline = TimeSpan.FromSeconds(30) });
        var port = Port().Match(silo.ReadyLine).Groups[1].Value;
        string Uri(Vmo vmo) => $"nbd://127.0.0.1:{port}/{vmo.Handle.Reveal()}";

        var (image, golden) = (Path.Combine(_folder, "image"), await client.CreateAsync(64 << 20, new() { Name = "golden" }));
        await Peer.RunAsync("bash", ["-ec", "mkdir $1/content; echo golden > $1/content/base; head -c 2M /dev/urandom > $1/content/goes; PATH=$PATH:/usr/sbin mke2fs -q -t ext4 -d $1/content $2 64M", "make", _folder, image]);
        await Peer.RunAsync("nbdcopy", [image, Uri(golden)]);

        // Live and snapshot, by virtio and by the kernel's own client, two at a time on machines of two processors.
        var (room, forks) = (new SemaphoreSlim(2), new Vmo[Guests]);
        await Task.WhenAll(Enumerable.Range(0, Guests).Select(async i =>
        {
            forks[i] = await golden.CloneAsync(i / 2 % 2 == 0 ? VmoKind.Snapshot : VmoKind.Live);
            await room.WaitAsync();
            try
            {
                var said = i % 2 == 0
                    ? await kernel.RunAsync($"vmo.who={i}", "-drive", $"file={Uri(forks[i])},format=raw,if=virtio,discard=unmap")
                    : await kernel.RunAsync($"vmo.who={i} vmo.port={port} vmo.name={forks[i].Handle.Reveal()}", "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net");
                Assert.True(said.Contains($"guest {i} is done", StringComparison.Ordinal), $"guest {i} printed: {said.Replace(forks[i].Handle.Reveal(), "...", StringComparison.Ordinal)}");
            }
            finally
            {
                room.Release();
            }
        }));

        for (var i = 0; i < Guests; i++)
        {
            var disk = Path.Combine(_folder, $"disk-{i}");
            await Peer.RunAsync("nbdcopy", [Uri(forks[i]), disk]);
            var said = await Peer.RunAsync("bash", ["-ec", """
                PATH=$PATH:/usr/sbin
                e2fsck -fn $1
                for file in guest sum base; do debugfs -R "cat $file" $1 2>/dev/null; done
                debugfs -R "dump blob $1.blob" $1 2>/dev/null; md5sum < $1.blob
                debugfs -R "stat goes" $1 2>&1
                """, "check", disk]);
            Assert.Matches($"(?s)I am {i}\n([0-9a-f]{{32}})\ngolden\n\\1  -\n.*File not found", said);
            File.Delete(disk);
        }

        await Peer.RunAsync("qemu-img", ["compare", "-f", "raw", "-F", "raw", image, Uri(golden)]);
    }

    [GeneratedRegex(@"nbd=127\.0\.0\.1:(\d+)")]
    private static partial Regex Port();
}
