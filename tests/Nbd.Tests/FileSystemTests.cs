using System.Globalization;
using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Nbd.Tests;

/// <summary>The kernel's file systems on a disk (nbdfuse makes it a file, losetup a block device): made, filled, trimmed, checked, and forked.</summary>
public sealed class FileSystemTests(DiskNode node, DiskCluster cluster) : IClassFixture<DiskNode>, IClassFixture<DiskCluster>
{
    // $1 the disk, $2 an empty folder, $3 the project's, $4 what is done with $device, the folder $at, and $tree: the project's sources.
    private const string Attached = """
        set -euo pipefail
        export PATH="$PATH:/usr/sbin:/sbin"
        disk=$1 folder=$2 file=$2/file at=$2/at tree=$2/tree device=
        touch "$file"; mkdir "$at" "$tree"
        tar -C "$3" --exclude bin --exclude obj -c client dashboards deploy grains silo tests | tar -C "$tree" -x
        nbdfuse --pidfile "$folder/pid" "$file" "$disk" & fuse=$!
        leave() {
            umount "$at" 2>/dev/null || true
            [ -z "$device" ] || losetup -d "$device"
            fusermount3 -u "$file" || fusermount3 -uz "$file"
            wait "$fuse"
        }
        trap leave EXIT
        for i in $(seq 200); do [ -s "$folder/pid" ] && break; sleep 0.1; done
        device=$(losetup --find --show "$file")
        eval "$4"
        """;

    [Theory]
    [InlineData("ext4", "mkfs.ext4 -q -E nodiscard", "e2fsck -fn")]
    [InlineData("xfs", "mkfs.xfs -q", "xfs_repair -n")]
    [InlineData("btrfs", "mkfs.btrfs -q", "btrfs check")]
    public async Task A_file_system_is_made_filled_trimmed_and_clean_and_its_fork_is_another(string type, string make, string check)
    {
        var vmo = await node.Client.CreateAsync(512 << 20, new() { Name = type });
        var said = await OnAsync(vmo, $"""
            {make} $device
            mount $device $at
            cp -r $tree $at/tree
            diff -r $tree $at/tree
            dd if=/dev/urandom of=$at/big bs=1M count=40 status=none; sync; rm $at/big
            fstrim -v $at
            umount $at
            {check} $device
            """);
        Assert.Contains("trimmed", said, StringComparison.Ordinal);
        var (stored, image) = ((await vmo.GetInfoAsync()).CommittedBytes, 512UL << 20);
        Assert.True(stored < image / 4, $"{stored} bytes are stored of a disk whose free space was trimmed");

        // Its fork has the tree, goes its own way, also where it is trimmed in hundreds of places, and leaves the disk as it was.
        var fork = await vmo.CloneAsync(VmoKind.Snapshot);
        said = await OnAsync(fork, $"""
            {check} $device
            mount $device $at
            diff -r $tree $at/tree
            find $at/tree -type f | sort | awk 'NR % 2' > $at/gone; wc -l < $at/gone
            xargs rm < $at/gone; echo fork > $at/fork; sync
            fstrim -v $at
            umount $at
            {check} $device
            mount $device $at
            (cd $tree && find . -type f | sort) | awk 'NR % 2 == 0' | while read -r file; do cmp "$tree/$file" "$at/tree/$file"; done
            test "$(find $at/tree -type f | wc -l)" = "$(find $tree -type f | awk 'NR % 2 == 0' | wc -l)"
            rm -r $at/tree; sync; fstrim -v $at
            umount $at
            {check} $device
            """);
        Assert.Contains("trimmed", said, StringComparison.Ordinal);
        var places = int.Parse(said.Split('\n', StringSplitOptions.TrimEntries).First(line => line.All(char.IsAsciiDigit) && line.Length > 0), CultureInfo.InvariantCulture);
        Assert.True((await fork.GetInfoAsync()).CommittedBytes < image / 8, $"{(await fork.GetInfoAsync()).CommittedBytes} bytes are stored of a fork whose files were all removed and trimmed");
        Assert.True(places > 200, $"{places} files were removed, too few to say anything");
        await OnAsync(vmo, """
            mount -o ro $device $at
            diff -r $tree $at/tree
            test ! -e $at/fork
            """);
    }

    [Fact]
    public async Task A_fork_of_forks_of_a_live_image_is_whole_and_takes_files_through_another_silo_than_its_own()
    {
        var image = await cluster.Client.CreateAsync(256 << 20, new() { Name = "image" });
        await OnAsync(cluster.Uri(image, 0), """
            mkfs.ext4 -q -E nodiscard $device
            mount $device $at
            cp -r $tree $at/tree
            umount $at
            """);
        var fork = image;
        for (var level = 0; level < 16; level++)
            fork = await fork.CloneAsync(VmoKind.Live);
        var owner = -1;
        await Eventually.UntilAsync("the fork lives somewhere", async () =>
        {
            await fork.ReadAsync(0, new byte[1]);
            return (owner = await cluster.OwnerAsync(fork)) >= 0;
        });
        await OnAsync(cluster.Uri(fork, 1 - owner), """
            e2fsck -fn $device
            mount $device $at
            diff -r $tree $at/tree
            cp -r $tree $at/again; rm -r $at/tree
            fstrim -v $at
            umount $at
            e2fsck -fn $device
            """);
        await OnAsync(cluster.Uri(fork, owner), """
            e2fsck -fn $device
            mount -o ro $device $at
            diff -r $tree $at/again
            test ! -e $at/tree
            """);
        await OnAsync(cluster.Uri(image, 0), """
            mount -o ro $device $at
            diff -r $tree $at/tree
            test ! -e $at/again
            """);
    }

    private Task<string> OnAsync(Vmo vmo, string what) => OnAsync(node.Uri(vmo), what);

    private static async Task<string> OnAsync(string disk, string what)
    {
        var folder = Directory.CreateTempSubdirectory("vmo-nbd-fs-").FullName;
        try
        {
            return await Peer.RunAsync("bash", ["-c", Attached, "attached", disk, folder, ProjectFolder(), what]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string ProjectFolder()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Cluster.sln")))
            folder = folder.Parent ?? throw new DirectoryNotFoundException("no Cluster.sln above the tests");
        return folder.FullName;
    }
}
