namespace VmoCluster.Nbd.Tests;

/// <summary>
/// What a guest is started with: Debian's cloud kernel, and a file system in memory with busybox, nbd-client and the modules they need. The kernel's package is fetched and unpacked, not
/// installed: a machine that runs tests keeps its own.
/// </summary>
public sealed class GuestKernel : IAsyncLifetime
{
    private const string Prepare = """
        set -euo pipefail
        cd "$1"
        fetch() {
            package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
            [ -n "$package" ] && apt-get -q download "$package"
        }
        fetch || { apt-get -q update; fetch; }
        dpkg-deb -x linux-image-*.deb kernel
        cp kernel/boot/vmlinuz-* vmlinuz
        modules=$(echo kernel/lib/modules/*/kernel)
        mkdir -p root/bin root/mnt root/proc root/sys root/dev root/modules root/tmp
        cp /bin/busybox root/bin/
        cp -L --parents /usr/sbin/nbd-client $(ldd /usr/sbin/nbd-client | grep -o '/[^ ]*') root/
        number=10
        for module in drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci \
            net/core/failover drivers/net/net_failover drivers/net/virtio_net drivers/block/virtio_blk drivers/block/nbd; do
            cp "$modules/$module.ko" "root/modules/$((number++)).ko"
        done
        cp "$2" root/init
        chmod +x root/init
        (cd root && find . | cpio -o -H newc --quiet | gzip -1) > initramfs
        """;

    // vmo.who, and vmo.port and vmo.name for the kernel's own client, stand on the kernel's command line. What lies on the disk is as GuestTests put it there.
    private const string Init = """
        #!/bin/busybox sh
        /bin/busybox --install -s /bin
        export PATH=/bin:/usr/sbin
        mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
        for module in /modules/*.ko; do insmod $module; done
        for word in $(cat /proc/cmdline); do case $word in vmo.*) eval "${word#vmo.}";; esac; done
        disk=/dev/vda
        if [ -n "$port" ]; then
            ip link set lo up; ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up
            nbd-client -C 2 -N "$name" 10.0.2.2 $port /dev/nbd0
            disk=/dev/nbd0
        fi
        mount -t ext4 -o discard $disk /mnt && grep -q golden /mnt/base && echo "I am $who" > /mnt/guest && dd if=/dev/urandom of=/mnt/blob bs=64k count=64 2>/dev/null \
            && md5sum /mnt/blob | cut -d' ' -f1 > /mnt/sum && rm /mnt/goes && sync && umount /mnt && echo "guest $who is done"
        [ -z "$port" ] || nbd-client -d /dev/nbd0
        poweroff -f
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-guest-").FullName;

    public async Task InitializeAsync()
    {
        var init = Path.Combine(_folder, "init");
        await File.WriteAllTextAsync(init, Init);
        await Peer.RunAsync("bash", ["-c", Prepare, "prepare", _folder, init]);
    }

    public Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    /// <summary>Runs a guest to its end, without KVM; what it printed.</summary>
    /// <param name="commandLine">Words for the kernel.</param>
    /// <param name="devices">Its disk or network, as QEMU is told.</param>
    public Task<string> RunAsync(string commandLine, params string[] devices) => Peer.RunAsync("qemu-system-x86_64", [
        "-accel", "tcg", "-m", "192", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", Path.Combine(_folder, "vmlinuz"),
        "-initrd", Path.Combine(_folder, "initramfs"), "-append", $"console=ttyS0 quiet panic=-1 {commandLine}", .. devices]);
}
