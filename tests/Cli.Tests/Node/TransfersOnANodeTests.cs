using System.Diagnostics;
using System.Security.Cryptography;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cli.Tests.Node;

/// <summary>import, export and wait by the built program on a real node: what goes wrong on the way.</summary>
[Collection("nodes")]
public sealed class TransfersOnANodeTests(NodeFixture node) : IClassFixture<NodeFixture>, IDisposable
{
    private const int MiB = 1 << 20;
    private readonly Vmo _vmo = node.Vmo;
    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-transfer-").FullName;

    [Fact]
    public async Task What_cannot_be_imported_makes_no_VMO()
    {
        var (fifo, before) = (PathOf("fifo"), await LastKoidAsync());
        await Tools.RunAsync("mkfifo", fifo);
        (await _vmo.RunAsync(["import", _folder])).Refused(12, "vmo: WRONG_TYPE: ");
        (await _vmo.RunAsync(["import", fifo])).Refused(20, "vmo: BAD_STATE: ");
        (await _vmo.RunAsync(["import", PathOf("none")])).Refused(25, "vmo: NOT_FOUND: ");
        Assert.Equal(before + 1, await LastKoidAsync());
    }

    [Fact]
    public async Task An_interrupted_import_leaves_nothing()
    {
        await using var running = _vmo.Start("import", "-", "--name", "half");
        await running.FeedAsync(RandomNumberGenerator.GetBytes(3 * MiB));
        await Eventually.UntilAsync("the import's VMO is there", async () => (await _vmo.OkAsync("ls", "--name", "half")).Output.Length > 0);
        running.Interrupt();
        (await running.EndAsync()).Refused(130, "vmo: interrupted: ");
        Assert.Empty((await _vmo.OkAsync("ls", "--name", "half")).Output);
    }

    [Fact]
    public async Task An_interrupted_wait_ends_with_130()
    {
        // Without the runtime's own socket, a socket means that the program connects; it handles signals by then.
        _vmo.Environment["DOTNET_EnableDiagnostics"] = "0";
        await using var running = _vmo.Start("wait", (await _vmo.OkAsync("create", "--size", "1")).Line, "--signals", "user0", "--json");
        running.EndInput();
        await Eventually.UntilAsync("the program has begun to connect", () => Task.FromResult(HasSocket(running.Id)));
        running.Interrupt();
        (await running.EndAsync()).Refused(130, "{\"status\":\"Interrupted\",\"code\":130,");
    }

    [Fact]
    public async Task An_export_onto_a_full_disk_says_so_and_leaves_nothing()
    {
        var handle = (await _vmo.RunAsync(["import", "-"], RandomNumberGenerator.GetBytes(3 * MiB))).Line;
        var mount = Directory.CreateDirectory(PathOf("small")).FullName;
        // A disk of 1 MiB of this test's own, in a mount namespace of its own.
        using var shell = Process.Start(new ProcessStartInfo("unshare", ["-rm", "sh", "-c", $"mount -t tmpfs -o size=1m tmpfs '{mount}' && '{Vmo.Program}' export - '{mount}/file'; echo $?; ls -A '{mount}'"])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, Environment = { ["VMO_ENDPOINT"] = node.Silo.Endpoint.ToString() },
        })!;
        shell.StandardInput.Write(handle);
        shell.StandardInput.Close();
        var (output, error) = (shell.StandardOutput.ReadToEndAsync(), shell.StandardError.ReadToEndAsync());
        await shell.WaitForExitAsync();
        Assert.StartsWith($"vmo: NO_SPACE: {mount}/file: No space left on device", await error, StringComparison.Ordinal);
        Assert.Equal("54\n", await output);
    }

    [Fact]
    public async Task A_reader_that_goes_away_ends_the_export_quietly()
    {
        var handle = (await _vmo.RunAsync(["import", "-"], RandomNumberGenerator.GetBytes(3 * MiB))).Line;
        Assert.Equal("141\n", await Tools.RunAsync("bash", "-c", $"VMO_ENDPOINT={node.Silo.Endpoint} VMO_HANDLE={handle} '{Vmo.Program}' export - | head -c 1 > /dev/null; echo ${{PIPESTATUS[0]}}"));
    }

    public void Dispose() => Directory.Delete(_folder, true);

    private string PathOf(string name) => Path.Combine(_folder, name);

    // Koids rise by one with each creation on a lone node.
    private async Task<ulong> LastKoidAsync() => (await _vmo.OkAsync("create", "--size", "0", "--json")).Json.GetProperty("koid").GetUInt64();

    private static bool HasSocket(int process) =>
        Directory.EnumerateFiles($"/proc/{process}/fd").Any(file => new FileInfo(file).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true);
}
