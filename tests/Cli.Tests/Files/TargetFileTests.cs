using VmoCluster.Cli.Files;
using Xunit;

namespace VmoCluster.Cli.Tests.Files;

public sealed class TargetFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-target-").FullName;

    [Fact]
    public void A_file_appears_when_it_is_kept_and_leaves_nothing_when_it_is_not()
    {
        var path = Path.Combine(_folder, "made");
        using (var dropped = TargetFile.Create(path, false))
            dropped.Write(0, "half"u8);
        Assert.Empty(Directory.GetFileSystemEntries(_folder));

        using (var kept = TargetFile.Create(path, false))
        {
            kept.Write(4, "whole"u8);
            kept.SetLength(10);
            Assert.False(File.Exists(path));
            kept.Keep();
        }

        Assert.Equal("\0\0\0\0whole\0"u8.ToArray(), File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void An_existing_file_stays_unless_it_may_be_replaced()
    {
        var path = Path.Combine(_folder, "there");
        File.WriteAllText(path, "old");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.Equal(VmoStatus.AlreadyExists, Assert.Throws<VmoException>(() => TargetFile.Create(path, false)).Status);
        using (var dropped = TargetFile.Create(path, true))
            dropped.Write(0, "new"u8);
        Assert.Equal("old", File.ReadAllText(path));
        using (var kept = TargetFile.Create(path, true))
        {
            kept.Write(0, "new"u8);
            kept.Keep();
        }

        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    [Fact]
    public void A_file_that_came_meanwhile_is_not_overwritten()
    {
        var path = Path.Combine(_folder, "raced");
        using (var file = TargetFile.Create(path, false))
        {
            File.WriteAllText(path, "other");
            Assert.Equal(VmoStatus.AlreadyExists, Assert.Throws<VmoException>(file.Keep).Status);
        }

        Assert.Equal("other", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void A_link_keeps_pointing_and_what_it_points_at_is_replaced()
    {
        var (path, real) = (Path.Combine(_folder, "link"), Path.Combine(_folder, "real"));
        File.WriteAllText(real, "old");
        File.CreateSymbolicLink(path, real);
        using (var file = TargetFile.Create(path, true))
        {
            file.Write(0, "new"u8);
            file.Keep();
        }

        Assert.Equal(real, new FileInfo(path).LinkTarget);
        Assert.Equal("new", File.ReadAllText(real));
    }

    [Fact]
    public void A_full_disk_is_NoSpace()
    {
        // /dev/full answers every write as a full disk does.
        using var file = TargetFile.Create("/dev/full", true);
        Assert.Equal(VmoStatus.NoSpace, Assert.Throws<VmoException>(() => file.Write(0, "x"u8)).Status);
    }

    [Fact]
    public void A_folder_that_is_not_there_and_one_that_is_in_the_way_are_told()
    {
        Assert.Equal(VmoStatus.NotFound, Assert.Throws<VmoException>(() => TargetFile.Create(Path.Combine(_folder, "no", "file"), true)).Status);
        Assert.Equal(VmoStatus.WrongType, Assert.Throws<VmoException>(() => TargetFile.Create(_folder, true)).Status);
    }

    public void Dispose() => Directory.Delete(_folder, true);
}
