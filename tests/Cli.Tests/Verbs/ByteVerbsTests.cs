using System.Text;
using Xunit;

namespace VmoCluster.Cli.Tests.Verbs;

/// <summary>read, write, op.</summary>
public sealed class ByteVerbsTests : IDisposable
{
    private const int MiB = 1 << 20;
    private readonly Shell _shell = new();

    [Fact]
    public async Task What_is_written_is_read_as_it_is()
    {
        var handle = await _shell.CreateAsync();
        var written = await _shell.RunAsync(["write", handle, "--offset", "4094"], "hello"u8.ToArray());
        Assert.Equal((0, "", ""), (written.ExitCode, written.Text, written.Error));
        var read = await _shell.OkAsync("read", handle, "--offset", "4093", "--length", "7");
        Assert.Equal("\0hello\0", read.Text);
        // Raw bytes are no JSON, whatever was asked.
        Assert.Equal("hello", (await _shell.OkAsync("read", handle, "--offset", "4094", "--length", "5", "--json")).Text);
    }

    [Fact]
    public async Task Write_tells_offset_and_length()
    {
        var handle = await _shell.CreateAsync();
        var done = await _shell.RunAsync(["--json", "write", handle, "--offset", "0x10"], new byte[100]);
        Assert.Equal("{\"offset\":16,\"length\":100}", done.Line);
        done = await _shell.RunAsync(["write", handle, "--offset", "64KiB", "--json"], []);
        Assert.Equal("{\"offset\":65536,\"length\":0}", done.Line);
    }

    [Fact]
    public async Task Long_files_and_pipes_go_in_pieces_and_come_back_whole()
    {
        var bytes = Noise((5 * MiB) + 123);
        var (path, copy) = (_shell.PathOf("in"), _shell.PathOf("out"));
        File.WriteAllBytes(path, bytes);
        var handle = await _shell.CreateAsync("16MiB");
        Assert.Equal($"{{\"offset\":7,\"length\":{bytes.Length}}}", (await _shell.OkAsync("write", handle, "--offset", "7", "--in", path, "--json")).Line);
        Assert.Equal(bytes, (await _shell.OkAsync("read", handle, "--offset", "7", "--length", $"{bytes.Length}")).Output);
        Assert.Equal(0, (await _shell.RunAsync(["write", handle, "--offset", "8MiB"], bytes)).ExitCode);
        Assert.Equal($"{{\"length\":{bytes.Length}}}", (await _shell.OkAsync("read", handle, "--offset", "8MiB", "--length", $"{bytes.Length}", "--out", copy, "--json")).Line);
        Assert.Equal(bytes, File.ReadAllBytes(copy));
    }

    [Fact]
    public async Task Nothing_is_printed_of_a_range_that_is_not_inside()
    {
        var handle = await _shell.CreateAsync("4MiB");
        (await _shell.RunAsync(["read", handle, "--offset", "3MiB", "--length", "2MiB"])).Refused(14, "vmo: OUT_OF_RANGE: offset 3145728 and length 2097152 reach beyond the size 4194304");
        (await _shell.RunAsync(["read", handle, "--offset", "4MiB", "--length", "1"])).Refused(14, "vmo: OUT_OF_RANGE: ");
        (await _shell.RunAsync(["read", handle, "--offset", "18446744073709551615", "--length", "18446744073709551615"])).Refused(14, "vmo: OUT_OF_RANGE: ");
        (await _shell.RunAsync(["read", handle, "--offset", "5MiB", "--length", "0"])).Refused(14, "vmo: OUT_OF_RANGE: ");
        Assert.Empty((await _shell.OkAsync("read", handle, "--offset", "4MiB", "--length", "0")).Output);

        var path = _shell.PathOf("out");
        (await _shell.RunAsync(["read", handle, "--offset", "3MiB", "--length", "2MiB", "--out", path])).Refused(14, "vmo: OUT_OF_RANGE: ");
        Assert.Empty(Directory.GetFileSystemEntries(_shell.Folder));
    }

    [Fact]
    public async Task A_files_range_is_checked_before_its_first_byte_is_sent()
    {
        var path = _shell.PathOf("in");
        File.WriteAllBytes(path, Noise(3 * MiB));
        var handle = await _shell.CreateAsync("4MiB");
        var refused = await _shell.RunAsync(["write", handle, "--offset", "2MiB", "--in", path, "--json"]);
        Assert.Equal(14, refused.ExitCode);
        Assert.Equal(0, refused.ErrorJson.GetProperty("written").GetInt32());
        Assert.Contains("\"runs\":[]", (await _shell.OkAsync("op", handle, "lookup", "--offset", "0", "--length", "4MiB", "--json")).Text, StringComparison.Ordinal);
        // Rights come before ranges, as in the cluster.
        var weak = (await _shell.OkAsync("duplicate", handle, "--rights", "read")).Line;
        (await _shell.RunAsync(["write", weak, "--offset", "2MiB", "--in", path])).Refused(30, "vmo: ACCESS_DENIED: write is needed, the handle has read (written 0)");
    }

    [Fact]
    public async Task A_pipe_that_runs_out_of_room_tells_what_is_written()
    {
        var handle = await _shell.CreateAsync("2MiB");
        var refused = await _shell.RunAsync(["write", handle, "--offset", "4096", "--json"], Noise(3 * MiB));
        Assert.Equal(14, refused.ExitCode);
        Assert.Empty(refused.Output);
        Assert.Equal(MiB, refused.ErrorJson.GetProperty("written").GetInt32());
        (await _shell.RunAsync(["write", handle, "--offset", "4096"], Noise(3 * MiB))).Refused(14, "vmo: OUT_OF_RANGE: ");
        Assert.EndsWith("(written 1048576)\n", (await _shell.RunAsync(["write", handle, "--offset", "4096"], Noise(3 * MiB))).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_input_that_is_none_is_refused()
    {
        var handle = await _shell.CreateAsync();
        (await _shell.RunAsync(["write", handle, "--offset", "0", "--in", _shell.PathOf("no")])).Refused(25, "vmo: NOT_FOUND: ");
        (await _shell.RunAsync(["write", handle, "--offset", "0", "--in", _shell.Folder])).Refused(12, "vmo: WRONG_TYPE: ");
        (await _shell.RunAsync(["write", "-", "--offset", "0"], Encoding.UTF8.GetBytes(handle))).Refused(64, "vmo: usage: stdin is the handle");
    }

    [Fact]
    public async Task Lookup_prints_runs()
    {
        var handle = await _shell.CreateAsync();
        await _shell.RunAsync(["write", handle, "--offset", "8192"], [1]);
        await _shell.OkAsync("op", handle, "commit", "--offset", "20480", "--length", "1");
        var parsed = VmoHandle.Parse(handle);
        Assert.Equal(
            $"{{\"runs\":[{{\"offset\":8192,\"length\":4096,\"state\":\"data\",\"owner\":{parsed.Koid}}},{{\"offset\":20480,\"length\":4096,\"state\":\"zero\",\"owner\":{parsed.Koid}}}]}}",
            (await _shell.OkAsync("op", handle, "lookup", "--offset", "0", "--length", "65536", "--json")).Line);
        Assert.Equal(
            $"8192 4096 data {parsed.Koid}\n20480 4096 zero {parsed.Koid}\n", (await _shell.OkAsync("op", handle, "lookup", "--offset", "0", "--length", "65536")).Text);
    }

    [Fact]
    public async Task Operations_say_nothing_and_change_the_bytes()
    {
        var handle = await _shell.CreateAsync();
        await _shell.RunAsync(["write", handle, "--offset", "0"], Noise(8192));
        Assert.Empty((await _shell.OkAsync("op", handle, "zero", "--offset", "10", "--length", "10")).Output);
        Assert.Equal(new byte[10], (await _shell.OkAsync("read", handle, "--offset", "10", "--length", "10")).Output);
        Assert.Equal("{\"offset\":4096,\"length\":4096}", (await _shell.OkAsync("op", handle, "decommit", "--offset", "4096", "--length", "4096", "--json")).Line);
        (await _shell.RunAsync(["op", handle, "decommit", "--offset", "1", "--length", "4096"])).Refused(10, "vmo: INVALID_ARGS: ");
        (await _shell.RunAsync(["op", handle, "polish", "--offset", "1", "--length", "1"])).Refused(64, "vmo: usage: 'polish' is not one of commit, decommit, zero, lookup");
        (await _shell.RunAsync(["op", "--offset", "1", "--length", "1"])).Refused(64, "vmo: usage: say which");
    }

    public void Dispose() => _shell.Dispose();

    internal static byte[] Noise(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }
}
