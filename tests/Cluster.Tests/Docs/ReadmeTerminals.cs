using System.Text.RegularExpressions;
using Xunit;

namespace VmoCluster.Cluster.Tests.Docs;

/// <summary>A newcomer's two terminals: the node by the README's own command, and a shell beside it.</summary>
public sealed partial class ReadmeTerminals : IAsyncLifetime, IDisposable
{
    private readonly ReadmeFolder _folder = new();
    private RunningProgram _node = null!;
    private string _endpoint = "";
    private string _disks = "";

    public Task InitializeAsync() => StartNodeAsync();

    public async Task DisposeAsync() => await _node.DisposeAsync();

    /// <summary>After the node's end.</summary>
    public void Dispose() => _folder.Dispose();

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
            ["Vmo__Data"] = Path.Combine(_folder.Path, "data of the node"),
            ["Vmo__Listen"] = "127.0.0.1:0",
            ["Vmo__Http"] = "127.0.0.1:0",
            ["Vmo__Nbd"] = "127.0.0.1:0",
            ["MSBUILDDISABLENODEREUSE"] = "1",
        });
        var ready = await _node.WaitForLineAsync("ready ", TimeSpan.FromMinutes(4));
        (_endpoint, _disks) = (Endpoint().Match(ready).Groups[1].Value, Disks().Match(ready).Groups[1].Value);
    }

    /// <summary>Runs a shell there; what it printed. It must end well.</summary>
    public async Task<string> InSecondTerminalAsync(string shell)
    {
        var (code, output) = await _folder.RunAsync(shell.Replace("127.0.0.1:10809", _disks, StringComparison.Ordinal), new Dictionary<string, string> { ["VMO_ENDPOINT"] = _endpoint });
        Assert.True(code == 0, $"{shell}\nended with {code}:\n{output}\nThe node printed:\n{_node.Output}");
        return output;
    }

    [GeneratedRegex("nbd=(\\S+)")]
    private static partial Regex Disks();

    [GeneratedRegex("endpoint=(\\S+)")]
    private static partial Regex Endpoint();
}
