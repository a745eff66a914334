using System.Text.RegularExpressions;
using Xunit;

namespace VmoCluster.Cluster.Tests.Docs;

/// <summary>A newcomer's two terminals: the node by the README's own command, and a shell beside it.</summary>
public sealed partial class ReadmeTerminals : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-readme-").FullName;
    private RunningProgram _node = null!;
    private string _endpoint = "";

    public async Task InitializeAsync()
    {
        // The second terminal stands in the repository, but what the steps make must not: a folder that looks like it.
        foreach (var entry in Directory.GetFileSystemEntries(Repository.Root))
            File.CreateSymbolicLink(Path.Combine(_folder, Path.GetFileName(entry)), entry);
        await StartNodeAsync();
    }

    public async Task DisposeAsync()
    {
        await _node.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Ctrl-C in the node's terminal; its exit code.</summary>
    public async Task<int> InterruptAsync()
    {
        await _node.SignalAsync("INT", group: true);
        var code = await _node.WaitForEndAsync(TimeSpan.FromSeconds(60));
        await _node.DisposeAsync();
        return code;
    }

    /// <summary>The README's command to the letter; only its ports and its folder are moved out of the way, by the environment.</summary>
    public async Task StartNodeAsync()
    {
        _node = RunningProgram.Start("the README's node", Repository.Root, ["bash", "-c", Readme.Block("node")], new Dictionary<string, string>
        {
            ["Vmo__Data"] = Path.Combine(_folder, "data of the node"),
            ["Vmo__Listen"] = "127.0.0.1:0",
            ["Vmo__Http"] = "127.0.0.1:0",
            ["MSBUILDDISABLENODEREUSE"] = "1",
        });
        var ready = await _node.WaitForLineAsync("ready ", TimeSpan.FromMinutes(4));
        _endpoint = Endpoint().Match(ready).Groups[1].Value;
    }

    /// <summary>Runs a shell there; what it printed. It must end well.</summary>
    public async Task<string> InSecondTerminalAsync(string shell)
    {
        var path = $"{Repository.PathOf("client/Cli/bin/Release/net10.0")}:{Environment.GetEnvironmentVariable("PATH")}";
        var (code, output) = await Command.RunAsync("bash", ["-euo", "pipefail", "-c", shell], _folder,
            new Dictionary<string, string> { ["VMO_ENDPOINT"] = _endpoint, ["PATH"] = path, ["VMO_HANDLE"] = "" }, TimeSpan.FromMinutes(3));
        Assert.True(code == 0, $"{shell}\nended with {code}:\n{output}\nThe node printed:\n{_node.Output}");
        return output;
    }

    [GeneratedRegex("endpoint=(\\S+)")]
    private static partial Regex Endpoint();
}
