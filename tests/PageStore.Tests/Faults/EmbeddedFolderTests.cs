using System.Globalization;
using System.Runtime.Versioning;
using Microsoft.Extensions.Logging.Abstractions;
using VmoCluster.Core.Store;
using VmoCluster.Harness;

namespace VmoCluster.PageStore.Tests.Faults;

/// <summary>The embedded store's folder: whose it is, and what it says when it is not.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class EmbeddedFolderTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("vmo-store-").FullName;

    private string Folder => Path.Combine(_root, "data", "store");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_folder_is_made_for_its_owner_only_and_kept_over_a_restart()
    {
        var owner = new Owner(1, 1, 1);
        await using (var store = Start())
        {
            Assert.True(store.FolderIsFresh);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Folder));
            await using var redis = await StoreBackend.OpenAsync(new() { Configuration = store.Configuration, Embedded = true });
            Assert.True(await redis.Pages.CreateAsync(new(1), owner, new(new(1), 1), [new("size"u8.ToArray(), "1"u8.ToArray())], [], isPromised: false, CancellationToken.None));
        }

        await using var again = Start();
        await using var reopened = await StoreBackend.OpenAsync(new() { Configuration = again.Configuration, Embedded = true });
        Assert.False(again.FolderIsFresh);
        Assert.False(reopened.Identity.IsFresh);
        Assert.Equal(owner, (await reopened.Pages.LoadRecordAsync(new(1), CancellationToken.None)).Hash!.Owner);
    }

    [Fact]
    public async Task A_log_that_is_slow_to_reach_the_disk_is_waited_for()
    {
        await using var store = Start();
        var (address, password) = (store.Configuration.Split(',')[0], store.Configuration.Split(',')[1]);
        await using var disk = new TcpProxy(int.Parse(address.Split(':')[1], CultureInfo.InvariantCulture));
        await using var redis = await StoreBackend.OpenAsync(new() { Configuration = $"127.0.0.1:{disk.Port},{password}", Embedded = true });

        disk.HoldNext("COMMITAOF", TimeSpan.FromSeconds(2));
        Assert.True(await redis.Pages.CreateAsync(new(1), new(1, 1, 1), new(new(1), 1), [new("size"u8.ToArray(), "1"u8.ToArray())], [], isPromised: false, CancellationToken.None));

        Assert.Equal(1, disk.Held);
    }

    [Fact]
    public async Task Without_its_password_the_embedded_store_answers_nobody()
    {
        await using var store = Start();
        var open = store.Configuration.Split(',')[0];

        var error = await Assert.ThrowsAsync<StoreException>(() => StoreBackend.OpenAsync(new() { Configuration = open }));

        Assert.Contains("password", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_in_use_names_the_process_that_has_it()
    {
        await using (Start())
            Refused($"in use by process {Environment.ProcessId}");

        await using var after = Start();
    }

    [Fact]
    public void A_folder_with_other_things_in_it_is_not_ours()
    {
        Directory.CreateDirectory(Folder);
        File.WriteAllText(Path.Combine(Folder, "thesis.txt"), "years of work");

        Refused("thesis.txt");

        Assert.Equal(["thesis.txt"], Directory.EnumerateFileSystemEntries(Folder).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("vmo-cluster embedded store, layout 2\n", "layout 2")]
    [InlineData("vmo-cluster embedded store, layout \n", "not a VMO Cluster's")]
    [InlineData("somebody else's marker", "not a VMO Cluster's")]
    public void A_folder_of_a_newer_layout_or_another_program_is_refused(string marker, string says)
    {
        Directory.CreateDirectory(Folder);
        File.WriteAllText(Path.Combine(Folder, "vmo-store"), marker);

        Refused(says);
    }

    [Fact]
    public void A_disk_without_room_is_told()
    {
        var error = Assert.Throws<StoreException>(() => Start(freeBytesLeast: long.MaxValue));

        Assert.Equal(VmoStatus.NoSpace, error.Status);
        Assert.Contains("no room", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_told()
    {
        File.WriteAllText(Path.Combine(_root, "data"), "a file");

        Refused("cannot be written");
    }

    [Fact]
    public void A_folder_that_is_a_file_is_told()
    {
        Directory.CreateDirectory(Path.Combine(_root, "data"));
        File.WriteAllText(Folder, "a file");

        Refused("is a file");
    }

    [Fact]
    public void Too_little_memory_is_told()
    {
        var error = Assert.Throws<StoreException>(() => EmbeddedStore.Start(new() { Folder = Folder, MemoryBytes = 1000 }, NullLoggerFactory.Instance));

        Assert.Contains("at least", error.Message, StringComparison.Ordinal);
    }

    private EmbeddedStore Start(long freeBytesLeast = 1) =>
        EmbeddedStore.Start(new() { Folder = Folder, FreeBytesLeast = freeBytesLeast }, NullLoggerFactory.Instance);

    private void Refused(string says)
    {
        var error = Assert.Throws<StoreException>(() => Start());
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
    }
}
