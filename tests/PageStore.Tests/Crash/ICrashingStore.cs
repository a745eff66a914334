using System.Diagnostics;
using VmoCluster.Harness;

namespace VmoCluster.PageStore.Tests.Crash;

/// <summary>A store in a process of its own that can be killed and comes back with what it kept.</summary>
public interface ICrashingStore : IAsyncDisposable
{
    string Configuration { get; }

    Task KillAsync();

    Task RestartAsync();
}

/// <summary>redis-server, every write on disk before its answer.</summary>
public sealed class CrashingRedis : ICrashingStore
{
    private RedisServer? _server;

    public string Configuration => _server!.Configuration;

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
public sealed class CrashingGarnet : ICrashingStore
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-store-").FullName;
    private readonly string[] _logMiBMax;
    private Process? _process;

    public CrashingGarnet(int? logMiBMax = null) => _logMiBMax = logMiBMax is null ? [] : [$"{logMiBMax}"];

    public string Configuration { get; private set; } = "";

    public long FolderBytes => new DirectoryInfo(_folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);

    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    public async Task RestartAsync()
    {
        _process?.Dispose();
        var host = Path.Combine(AppContext.BaseDirectory, "VmoCluster.StoreHost.dll");
        _process = Process.Start(new ProcessStartInfo("dotnet", [host, _folder, .. _logMiBMax]) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
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
}
