using System.Diagnostics;
using VmoCluster.Cli.Files;
using Xunit;

namespace VmoCluster.Cli.Tests.Files;

public sealed class InputFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-input-").FullName;

    [Fact]
    public void Holes_are_told_without_reading_them()
    {
        var path = Path.Combine(_folder, "holes");
        using (var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.SetLength(file, 64 << 20);
            RandomAccess.Write(file, new byte[] { 1 }, 10 << 20);
            RandomAccess.Write(file, new byte[] { 1 }, 40 << 20);
        }

        using var input = InputFile.Open(path);
        Assert.Equal(64ul << 20, input.Length);
        var data = new List<ByteRange>();
        for (var at = 0ul; input.TryNextData(at, out var range); at = range.End)
            data.Add(range);
        Assert.True(data.Sum(d => (long)d.Length) < 2 << 20, $"holes were told as data: {string.Join(' ', data)}");
        Assert.Contains(data, d => d.Offset <= 10 << 20 && d.End > 10 << 20);
        Assert.Contains(data, d => d.Offset <= 40 << 20 && d.End > 40 << 20);
    }

    [Fact]
    public async Task A_file_as_a_stream_begins_at_its_beginning()
    {
        var path = Path.Combine(_folder, "streamed");
        File.WriteAllText(path, "from the front");
        using var input = InputFile.Open(path);
        await using var stream = input.AsStream();
        var bytes = new byte[100];
        Assert.Equal(14, await StreamPieces.FillAsync(stream, bytes, CancellationToken.None));
        Assert.Equal("from the front"u8.ToArray(), bytes[..14]);
    }

    [Fact]
    public async Task A_file_that_tells_no_length_is_read_to_its_end()
    {
        var path = Path.Combine(_folder, "empty");
        File.WriteAllBytes(path, []);
        foreach (var (file, isEmpty) in new[] { (path, true), ("/proc/version", false) })
        {
            using var input = InputFile.Open(file);
            Assert.True(input.IsStream);
            Assert.False(input.TryNextData(0, out _));
            await using var stream = input.AsStream();
            Assert.Equal(isEmpty, await StreamPieces.FillAsync(stream, new byte[100], CancellationToken.None) == 0);
        }
    }

    [Fact]
    public void What_is_no_file_is_refused_with_its_reason()
    {
        Refused(VmoStatus.WrongType, _folder, "is a directory");
        Refused(VmoStatus.WrongType, "/dev/zero", "character device");
        Refused(VmoStatus.NotFound, Path.Combine(_folder, "nothing"), "No such file");
        Refused(VmoStatus.NotFound, Path.Combine(_folder, "nothing", "deeper"), "No such file");
    }

    [Fact]
    public void A_file_that_grows_shrinks_or_is_written_to_is_noticed()
    {
        Changed(path => File.AppendAllText(path, "more"), "had 8192 bytes, now has 8196");
        Changed(path => File.WriteAllBytes(path, new byte[4096]), "had 8192 bytes, now has 4096");
        Changed(path => File.SetLastWriteTimeUtc(path, DateTime.UnixEpoch), "was written to");
    }

    [Fact]
    public void A_read_beyond_a_shrunk_files_end_says_so()
    {
        var path = Path.Combine(_folder, "shrinks");
        File.WriteAllBytes(path, new byte[8192]);
        using var input = InputFile.Open(path);
        File.WriteAllBytes(path, new byte[100]);
        var refused = Assert.Throws<VmoException>(() => input.Read(0, new byte[8192]));
        Assert.Equal(VmoStatus.BadState, refused.Status);
        Assert.Contains("now ends at 100", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_FIFO_nobody_writes_to_is_refused_soon()
    {
        var path = Fifo("silent");
        var begun = Stopwatch.GetTimestamp();
        Refused(VmoStatus.BadState, path, "nobody writes to");
        Assert.True(Stopwatch.GetElapsedTime(begun) < TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_FIFO_with_a_writer_is_a_stream()
    {
        var path = Fifo("written");
        var writer = Task.Run(() => File.WriteAllBytes(path, Enumerable.Range(0, 300_000).Select(i => (byte)i).ToArray()));
        using var input = InputFile.Open(path);
        Assert.True(input.IsStream);
        var bytes = new byte[400_000];
        await using var stream = input.AsStream();
        Assert.Equal(300_000, await StreamPieces.FillAsync(stream, bytes, CancellationToken.None));
        await writer;
        Assert.Equal(Enumerable.Range(0, 300_000).Select(i => (byte)i), bytes.Take(300_000));
    }

    public void Dispose() => Directory.Delete(_folder, true);

    private string Fifo(string name)
    {
        var path = Path.Combine(_folder, name);
        using var made = Process.Start("mkfifo", [path]);
        made.WaitForExit();
        Assert.Equal(0, made.ExitCode);
        return path;
    }

    private static void Refused(VmoStatus status, string path, string reason)
    {
        var refused = Assert.Throws<VmoException>(() => InputFile.Open(path).Dispose());
        Assert.Equal(status, refused.Status);
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
    }

    private void Changed(Action<string> change, string reason)
    {
        var path = Path.Combine(_folder, Path.GetRandomFileName());
        File.WriteAllBytes(path, new byte[8192]);
        using var input = InputFile.Open(path);
        input.ThrowIfChanged();
        change(path);
        var refused = Assert.Throws<VmoException>(input.ThrowIfChanged);
        Assert.Equal(VmoStatus.BadState, refused.Status);
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
    }
}
