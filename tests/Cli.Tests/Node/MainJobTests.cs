using System.Security.Cryptography;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cli.Tests.Node;

/// <summary>The main job on real input: an image goes in and comes out, and what was acknowledged survives a kill.</summary>
[Collection("nodes")]
public sealed class MainJobTests(NodeFixture node) : IClassFixture<NodeFixture>, IDisposable
{
    private const int MiB = 1 << 20;
    private readonly Vmo _vmo = node.Vmo;
    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-job-").FullName;

    [Fact]
    public async Task An_ext4_image_of_a_real_directory_comes_back_byte_for_byte_and_with_holes()
    {
        var (image, copy) = (PathOf("disk.img"), PathOf("copy.img"));
        var runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        await Tools.RunAsync("mke2fs", "-q", "-t", "ext4", "-d", Path.GetDirectoryName(Path.GetDirectoryName(runtime))!, image, "2G");
        var made = (await _vmo.OkAsync("import", image, "--json")).Json;
        var stored = made.GetProperty("storedBytes").GetUInt64();
        Assert.Equal(2ul << 30, made.GetProperty("size").GetUInt64());
        Assert.InRange(stored, 50ul * MiB, 1000ul * MiB);
        var done = (await _vmo.OkAsync("export", made.GetProperty("handle").GetString()!, copy, "--json")).Json;
        Assert.Equal((2ul << 30, stored), (done.GetProperty("length").GetUInt64(), done.GetProperty("storedBytes").GetUInt64()));
        await Tools.RunAsync("cmp", image, copy);
        var allocated = long.Parse(await Tools.RunAsync("stat", "-c", "%b", copy)) * 512;
        Assert.True(allocated <= (long)stored + (8 * MiB), $"{allocated} bytes allocated for {stored} stored");
        await _vmo.OkAsync("close", made.GetProperty("handle").GetString()!);
    }

    [Fact]
    public async Task Every_byte_acknowledged_before_a_SIGKILL_is_there_after_the_restart()
    {
        await using var silo = await SiloProcess.StartAsync();
        var vmo = new Vmo(silo.Endpoint);
        var handle = (await vmo.OkAsync("create", "--size", "1GiB")).Line;
        var bytes = RandomNumberGenerator.GetBytes(256 * MiB);
        await using var writing = vmo.Start("write", handle, "--offset", "0", "--timeout", "8s", "--json");
        var feeding = writing.FeedAsync(bytes);
        await Eventually.UntilAsync("20 MiB are written", async () =>
            (await vmo.OkAsync("info", handle, "--json")).Json.GetProperty("chargedBytes").GetInt64() > 20 * MiB);
        await silo.KillAsync();
        var failed = await writing.EndAsync();
        await feeding;
        Assert.NotEqual(0, failed.ExitCode);
        Assert.Empty(failed.Output);
        var written = failed.ErrorJson.GetProperty("written").GetInt32();
        Assert.True(written >= 19 * MiB, $"{written} bytes acknowledged");

        await silo.RestartAsync();
        var back = new Vmo(silo.Endpoint);
        var kept = (await back.OkAsync("read", handle, "--offset", "0", "--length", $"{written}")).Output;
        Assert.True(bytes.AsSpan(0, written).SequenceEqual(kept));
    }

    public void Dispose() => Directory.Delete(_folder, true);

    private string PathOf(string name) => Path.Combine(_folder, name);
}
