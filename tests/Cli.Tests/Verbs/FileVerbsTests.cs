using Xunit;

namespace VmoCluster.Cli.Tests.Verbs;

/// <summary>import and export.</summary>
public sealed class FileVerbsTests : IDisposable
{
    private const int MiB = 1 << 20;
    private readonly Shell _shell = new();

    [Fact]
    public async Task A_sparse_file_comes_back_byte_for_byte_and_sparse()
    {
        var (path, copy) = (Sparse("disk.img", (64 * MiB) + 1000, 0, 4096 * 3, (9 * MiB) - 100, (40 * MiB) + 5, (64 * MiB) + 900), _shell.PathOf("copy"));
        var made = await _shell.OkAsync("import", path, "--json");
        Assert.Equal("handle,koid,size,rights,storedBytes", made.Keys);
        Assert.Equal((ulong)(64 * MiB) + 4096, made.Json.GetProperty("size").GetUInt64());
        var stored = made.Json.GetProperty("storedBytes").GetInt32();
        Assert.InRange(stored, 5 * 4096, 8 * 4096);
        var handle = made.Json.GetProperty("handle").GetString()!;
        var info = (await _shell.OkAsync("info", handle, "--json")).Json;
        Assert.Equal("disk.img", info.GetProperty("name").GetString());
        Assert.Equal((64 * MiB) + 1000, info.GetProperty("contentSize").GetInt32());

        Assert.Equal($"{{\"length\":{(64 * MiB) + 1000},\"storedBytes\":{stored}}}", (await _shell.OkAsync("export", handle, copy, "--json")).Line);
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(copy));
        Assert.True(Allocated(copy) <= 16 * MiB / 16, $"{Allocated(copy)} bytes allocated");
        Assert.Equal(File.ReadAllBytes(path), (await _shell.OkAsync("export", handle, "-")).Output);
    }

    [Fact]
    public async Task Import_prints_the_handle_alone_and_export_nothing()
    {
        var path = Sparse("small", 10, 3);
        var handle = (await _shell.OkAsync("import", path, "--name", "other")).Line;
        Assert.Equal("other", (await _shell.OkAsync("name", handle)).Line);
        Assert.Empty((await _shell.OkAsync("export", handle, _shell.PathOf("copy"))).Output);
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(_shell.PathOf("copy")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(MiB)]
    [InlineData((70 * MiB) + 3)]
    public async Task A_stream_of_any_length_becomes_a_VMO(int length)
    {
        var bytes = ByteVerbsTests.Noise(length);
        var made = await _shell.RunAsync(["import", "-", "--json"], bytes);
        Assert.Equal("", made.Error);
        Assert.Equal((ulong)(length + 4095) / 4096 * 4096, made.Json.GetProperty("size").GetUInt64());
        var handle = made.Json.GetProperty("handle").GetString()!;
        Assert.Equal($"{length}", (await _shell.OkAsync("content-size", handle)).Line);
        Assert.Equal(bytes, (await _shell.OkAsync("export", handle, "-")).Output);
    }

    [Fact]
    public async Task An_existing_file_is_refused_without_force()
    {
        var (handle, path) = (await _shell.CreateAsync("4096"), _shell.PathOf("there"));
        File.WriteAllText(path, "old");
        (await _shell.RunAsync(["export", handle, path])).Refused(26, "vmo: ALREADY_EXISTS: ");
        Assert.Equal("old", File.ReadAllText(path));
        await _shell.OkAsync("export", handle, path, "--force");
        Assert.Equal(new byte[4096], File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(_shell.Folder));
    }

    [Fact]
    public async Task What_cannot_be_imported_is_refused_and_makes_nothing()
    {
        (await _shell.RunAsync(["import", _shell.Folder])).Refused(12, "vmo: WRONG_TYPE: ");
        (await _shell.RunAsync(["import", _shell.PathOf("no")])).Refused(25, "vmo: NOT_FOUND: ");
        (await _shell.RunAsync(["import", "/dev/zero"])).Refused(12, "vmo: WRONG_TYPE: ");
        (await _shell.RunAsync(["import"])).Refused(64, "vmo: usage: what to import is missing");
        Assert.Empty(_shell.Cluster.Vmos);
    }

    [Fact]
    public async Task A_file_that_changes_meanwhile_leaves_nothing()
    {
        var path = _shell.PathOf("grows");
        File.WriteAllBytes(path, ByteVerbsTests.Noise(3 * MiB));
        _shell.Cluster.Before = call =>
        {
            if (call == "write")
                File.AppendAllText(path, "more");
            return Outcome.Ok;
        };
        (await _shell.RunAsync(["import", path])).Refused(20, "vmo: BAD_STATE: ");
        Assert.Empty(_shell.Cluster.Vmos);
    }

    [Fact]
    public async Task An_import_that_is_refused_midway_leaves_nothing()
    {
        var path = _shell.PathOf("large");
        File.WriteAllBytes(path, ByteVerbsTests.Noise(30 * MiB));
        var writes = 0;
        _shell.Cluster.Before = call => call == "write" && Interlocked.Increment(ref writes) > 40 ? new(VmoStatus.NoSpace, "the store is full: 90 of 100 bytes") : Outcome.Ok;
        (await _shell.RunAsync(["import", path])).Refused(54, "vmo: NO_SPACE: the store is full: 90 of 100 bytes");
        Assert.Empty(_shell.Cluster.Vmos);
    }

    [Fact]
    public async Task An_interrupted_import_leaves_nothing_and_ends_with_130()
    {
        var path = _shell.PathOf("large");
        File.WriteAllBytes(path, ByteVerbsTests.Noise(30 * MiB));
        using var interrupt = new CancellationTokenSource();
        _shell.Cluster.Before = call =>
        {
            if (call == "write")
                interrupt.Cancel();
            return Outcome.Ok;
        };
        (await _shell.RunAsync(["import", path], cancellation: interrupt.Token)).Refused(130, "vmo: interrupted: ");
        Assert.Empty(_shell.Cluster.Vmos);
    }

    [Fact]
    public async Task An_export_that_is_refused_midway_leaves_no_file()
    {
        var path = _shell.PathOf("large");
        File.WriteAllBytes(path, ByteVerbsTests.Noise(5 * MiB));
        var handle = (await _shell.OkAsync("import", path)).Line;
        File.Delete(path);
        var reads = 0;
        _shell.Cluster.Before = call => call == "read" && Interlocked.Increment(ref reads) > 8 ? new(VmoStatus.DataLoss, "page 5 is gone") : Outcome.Ok;
        (await _shell.RunAsync(["export", handle, path])).Refused(43, "vmo: DATA_LOSS: page 5 is gone");
        Assert.Empty(Directory.GetFileSystemEntries(_shell.Folder));
    }

    [Fact]
    public async Task A_handle_is_never_taken_for_a_file_name()
    {
        var handle = await _shell.CreateAsync();
        _shell.Environment["VMO_HANDLE"] = handle;
        var refused = await _shell.RunAsync(["export", handle]);
        refused.Refused(64, "vmo: usage: the last word is a handle");
        Assert.DoesNotContain(handle[8..], refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_is_written_in_place()
    {
        var handle = await _shell.CreateAsync();
        await _shell.OkAsync("export", handle, "/dev/null");
        (await _shell.RunAsync(["export", handle, "/dev/full"])).Refused(54, "vmo: NO_SPACE: ");
        Assert.True(File.Exists("/dev/null"));
    }

    public void Dispose() => _shell.Dispose();

    private string Sparse(string name, long length, params long[] ones)
    {
        var path = _shell.PathOf(name);
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        RandomAccess.SetLength(file, length);
        foreach (var at in ones)
            RandomAccess.Write(file, "x"u8, at);
        return path;
    }

    private static long Allocated(string path)
    {
        using var asked = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("stat", ["-c", "%b", path]) { RedirectStandardOutput = true })!;
        return long.Parse(asked.StandardOutput.ReadToEnd()) * 512;
    }
}
