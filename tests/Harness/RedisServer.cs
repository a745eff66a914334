using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace VmoCluster.Harness;

/// <summary>
/// A redis-server process of this test's own: a free port on loopback, a folder of its own, and it is our process that answers there
/// (INFO process_id), not one that had the port before.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-redis-").FullName;
    private readonly IReadOnlyList<string> _options;
    private Process? _process;

    private RedisServer(int port, int busPort, IReadOnlyList<string> options, string? password, TlsIdentity? tls)
    {
        (Port, BusPort, Password) = (port, busPort, password);
        _options = tls is null ? options : [.. options, .. tls.RedisOptions(TlsPort = FreePort())];
    }

    public int Port { get; }

    /// <summary>The port of the cluster bus; used only with cluster-enabled.</summary>
    public int BusPort { get; }

    /// <summary>The port that speaks TLS; 0 without a certificate.</summary>
    public int TlsPort { get; }

    public string? Password { get; }

    /// <summary>A StackExchange.Redis configuration, without the password.</summary>
    public string Configuration => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    /// <summary>The same over TLS.</summary>
    public string TlsConfiguration => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{TlsPort},ssl=true");

    public int ProcessId => _process!.Id;

    /// <summary>Starts one. Options are redis.conf lines: <c>appendonly yes</c>, <c>maxmemory 8mb</c>, <c>replicaof 127.0.0.1 7000</c>.
    /// With a certificate it has a second port, over TLS; the first stays for the harness.</summary>
    public static async Task<RedisServer> StartAsync(IReadOnlyList<string>? options = null, string? password = null, TlsIdentity? tls = null)
    {
        for (var tries = 1; ; tries++)
        {
            var server = new RedisServer(FreePort(), FreePort(), options ?? [], password, tls);
            try
            {
                await server.RunAsync();
                return server;
            }
            catch (InvalidOperationException) when (tries < 5)
            {
                // Somebody took the port between our look and its bind.
                await server.DisposeAsync();
            }
        }
    }

    /// <summary>Starts it again on the same port and data.</summary>
    public async Task RestartAsync()
    {
        if (_process is { HasExited: false })
            await StopAsync();
        await RunAsync();
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, and waits for it to be gone.</summary>
    public async Task StopAsync()
    {
        Signal(Terminate);
        await _process!.WaitForExitAsync().WaitAsync(Patience);
    }

    /// <summary>SIGSTOP: connections stay, nothing is answered.</summary>
    public void Pause() => Signal(Stop);

    /// <summary>SIGCONT.</summary>
    public void Resume() => Signal(Continue);

    /// <summary>One command, in redis-cli's manner; the raw reply.</summary>
    public async Task<string> CommandAsync(params string[] command)
    {
        using var client = new TcpClient();
        using var patience = new CancellationTokenSource(Patience);
        await client.ConnectAsync(IPAddress.Loopback, Port, patience.Token);
        var stream = client.GetStream();
        var text = new StringBuilder();
        if (Password is not null)
            text.Append("AUTH ").Append(Password).Append("\r\n");
        text.Append('*').Append(command.Length).Append("\r\n");
        foreach (var word in command)
            text.Append('$').Append(Encoding.UTF8.GetByteCount(word)).Append("\r\n").Append(word).Append("\r\n");
        text.Append("ECHO the-end\r\n");
        await stream.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()), patience.Token);

        const string end = "$7\r\nthe-end\r\n";
        var reply = new StringBuilder();
        var buffer = new byte[16 << 10];
        while (!reply.ToString().EndsWith(end, StringComparison.Ordinal))
        {
            var count = await stream.ReadAsync(buffer, patience.Token);
            if (count == 0)
                throw new IOException($"redis-server on port {Port} closed the connection; it said: {reply}");
            reply.Append(Encoding.UTF8.GetString(buffer, 0, count));
        }

        var whole = reply.ToString()[..^end.Length];
        return Password is not null && whole.StartsWith("+OK\r\n", StringComparison.Ordinal) ? whole[5..] : whole;
    }

    /// <summary>The names of all keys that match a glob, in order.</summary>
    public async Task<IReadOnlyList<string>> KeysAsync(string glob = "*")
    {
        // *N, and for each key $LENGTH and the key itself on a line: none of ours has a line's end in it.
        var lines = (await CommandAsync("KEYS", glob)).Split("\r\n");
        if (!lines[0].StartsWith('*'))
            throw new InvalidOperationException($"Redis on port {Port} does not list its keys: {lines[0]}");
        var keys = lines.Skip(2).Where((_, i) => i % 2 == 0).ToList();
        return keys.Count == int.Parse(lines[0][1..], CultureInfo.InvariantCulture)
            ? [.. keys.Order(StringComparer.Ordinal)]
            : throw new InvalidOperationException($"Redis on port {Port} lists {lines[0]} keys, of which {keys.Count} are read.");
    }

    /// <summary>Asks until the reply is as wanted; says what was missing when patience ends.</summary>
    public async Task WaitForAsync(string missing, Func<string, bool> isWanted, params string[] command)
    {
        var began = Stopwatch.GetTimestamp();
        var last = "nothing";
        while (Stopwatch.GetElapsedTime(began) < Patience)
        {
            if (_process!.HasExited)
                throw new InvalidOperationException($"redis-server ended with {_process.ExitCode} while waiting for {missing}.");
            try
            {
                last = await CommandAsync(command);
                if (isWanted(last))
                    return;
            }
            catch (Exception error) when (error is SocketException or IOException or OperationCanceledException)
            {
                last = error.Message;
            }

            await Task.Delay(20);
        }

        throw new TimeoutException($"Redis on port {Port}: missing {missing}; last answer: {last}");
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
            await KillAsync();
        _process?.Dispose();
        await DeleteAsync();
    }

    // A child that was rewriting the append-only file outlives its parent for a moment, and goes on writing into the folder.
    private async Task DeleteAsync()
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                Directory.Delete(_folder, recursive: true);
                return;
            }
            catch (IOException) when (Stopwatch.GetElapsedTime(started) < Patience)
            {
                await Task.Delay(50);
            }
        }
    }

    private async Task RunAsync()
    {
        string[] fixedOptions =
        [
            $"port {Port}", "bind 127.0.0.1", $"dir {_folder}", "save \"\"", "daemonize no", $"cluster-port {BusPort}", "logfile redis.log",
        ];
        var config = Path.Combine(_folder, "redis.conf");
        string[] passwords = Password is null ? [] : [$"requirepass {Password}", $"masterauth {Password}"];
        await File.WriteAllLinesAsync(config, [.. fixedOptions, .. passwords, .. _options]);
        _process?.Dispose();
        _process = Process.Start(new ProcessStartInfo("redis-server", config) { WorkingDirectory = _folder })
            ?? throw new InvalidOperationException("redis-server did not start.");
        var mine = string.Create(CultureInfo.InvariantCulture, $"process_id:{_process.Id}\r");
        await WaitForAsync("our own process", reply => reply.Contains(mine, StringComparison.Ordinal), "INFO", "server");
        await WaitForAsync("its data loaded", reply => reply.StartsWith("+PONG", StringComparison.Ordinal), "PING");
    }

    private const int Continue = 18;
    private const int Stop = 19;
    private const int Terminate = 15;

    private void Signal(int signal)
    {
        if (SendSignal(_process!.Id, signal) != 0)
            throw new InvalidOperationException($"Signal {signal} could not be sent to process {_process.Id}.");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignal(int process, int signal);
}
