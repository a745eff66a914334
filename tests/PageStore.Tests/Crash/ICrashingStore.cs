using System.Diagnostics;
using VmoCluster.Harness;

namespace VmoCluster.PageStore.Tests.Crash;

/// <summary>A store in a process of its own that can be killed and comes back with what it kept.</summary>
public interface ICrashingStore : IAsyncDisposable
{
    string Configuration { get; }

    /// <summary>How often it is killed.</summary>
    int Rounds { get; }

    /// <summary>Whether it has done since its last start what a kill is to interrupt.</summary>
    bool IsWorthKilling(int acknowledged);

    Task KillAsync();

    Task RestartAsync();
}

/// <summary>redis-server, every write on disk before its answer.</summary>
public sealed class CrashingRedis : ICrashingStore
{
    private RedisServer? _server;

    public string Configuration => _server!.Configuration;

    public int Rounds => 3;

    public bool IsWorthKilling(int acknowledged) => acknowledged >= 60;

    public Task KillAsync() => _server!.KillAsync();

    public async Task RestartAsync()
    {
        if (_server is null)
            _server = await RedisServer.StartAsync(["appendonly yes", "appendfsync always"]);
        else
            await _server.RestartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
    }
}

/// <summary>The embedded store, in tests/StoreHost.</summary>
/// <param name="logMiBMax">
/// Null: killed among commits. A number: its log is cut by a checkpoint after so many MiB, and it is killed once it has taken one more.
/// </param>
public sealed class CrashingGarnet(int? logMiBMax) : ICrashingStore
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-store-").FullName;
    private Process? _process;
    private string _checkpointsAtStart = "";

    public string Configuration { get; private set; } = "";

    public int Rounds => logMiBMax is null ? 3 : 2;

    public bool IsWorthKilling(int acknowledged) =>
        acknowledged >= 60 && (logMiBMax is null || (Checkpoints() is { Length: > 0 } now && now != _checkpointsAtStart));

    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    public async Task RestartAsync()
    {
        _process?.Dispose();
        _checkpointsAtStart = Checkpoints();
        var host = Path.Combine(AppContext.BaseDirectory, "VmoCluster.StoreHost.dll");
        _process = Process.Start(new ProcessStartInfo("dotnet", [host, _folder, .. logMiBMax is null ? Array.Empty<string>() : [$"{logMiBMax}"]]) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
        var line = await _process.StandardOutput.ReadLineAsync().WaitAsync(Patience);
        const string ready = "ready ";
        Assert.StartsWith(ready, line, StringComparison.Ordinal);
        Configuration = line![ready.Length..];
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
            await KillAsync();
        _process?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    // The names of the checkpoints taken: each has a folder of its own, and the older ones go.
    private string Checkpoints()
    {
        var folder = Path.Combine(_folder, "checkpoint", "Store", "checkpoints", "cpr-checkpoints");
        return Directory.Exists(folder) ? string.Join(' ', Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal)) : "";
    }
}
