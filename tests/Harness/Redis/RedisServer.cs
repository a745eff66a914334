using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace VmoCluster.Harness;

/// <summary>
/// A redis-server process of this test's own: a free port on loopback (in a lab, also at its participant's address), a folder of its own, and
/// it is our process that answers there (INFO process_id), not one that had the port before. It ends with the tests' process.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string _folder;
    private readonly IReadOnlyList<string> _options;
    private readonly bool _isSentinel;
    private Process? _process;

    private RedisServer(RedisPlace place, IReadOnlyList<string> options, string? password, TlsIdentity? tls, bool isSentinel)
    {
        (Port, BusPort, Password, Host, _isSentinel) = (FreePort(), FreePort(), password, place.Host, isSentinel);
        _folder = Directory.CreateDirectory(Path.Combine(place.Folder ?? Path.GetTempPath(), $"vmo-redis-{Guid.NewGuid():N}")).FullName;
        _options = tls is null ? options : [.. options, .. tls.RedisOptions(TlsPort = FreePort())];
    }

    /// <summary>The lab's participant it runs in, if it does.</summary>
    public LabHost? Host { get; }

    /// <summary>Where those who use it reach it.</summary>
    public IPAddress Address => Host?.Address ?? IPAddress.Loopback;

    public int Port { get; }

    /// <summary>The port of the cluster bus; used only with cluster-enabled.</summary>
    public int BusPort { get; }

    /// <summary>The port that speaks TLS; 0 without a certificate.</summary>
    public int TlsPort { get; }

    public string? Password { get; }

    /// <summary>A StackExchange.Redis configuration, without the password.</summary>
    public string Configuration => string.Create(CultureInfo.InvariantCulture, $"{Address}:{Port}");

    /// <summary>The same over TLS.</summary>
    public string TlsConfiguration => string.Create(CultureInfo.InvariantCulture, $"{Address}:{TlsPort},ssl=true");

    public int ProcessId => _process!.Id;

    public bool HasExited => _process!.HasExited;

    /// <summary>Where its data is.</summary>
    public string Folder => _folder;

    /// <summary>Starts one. Options are redis.conf lines: <c>appendonly yes</c>, <c>maxmemory 8mb</c>, <c>replicaof 127.0.0.1 7000</c>.
    /// With a certificate it has a second port, over TLS; the first stays for the harness.</summary>
    public static Task<RedisServer> StartAsync(
        IReadOnlyList<string>? options = null, string? password = null, TlsIdentity? tls = null, RedisPlace place = default) =>
        StartAsync(() => new RedisServer(place, options ?? [], password, tls, isSentinel: false));

    /// <summary>Starts a Sentinel, which is a redis-server too.</summary>
    internal static Task<RedisServer> StartSentinelAsync(IReadOnlyList<string> options, RedisPlace place) =>
        StartAsync(() => new RedisServer(place, options, null, null, isSentinel: true));

    private static async Task<RedisServer> StartAsync(Func<RedisServer> make)
    {
        for (var tries = 1; ; tries++)
        {
            var server = make();
            try
            {
                await server.RunAsync();
                return server;
            }
            catch (Exception failure)
            {
                await server.DisposeAsync();

                // Somebody took the port between our look and its bind.
                if (failure is not InvalidOperationException || tries == 5)
                    throw;
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
        await _process.WaitForExitAsync().WaitAsync(Patience);
    }

    /// <summary>SIGTERM, and waits for it to be gone.</summary>
    public async Task StopAsync()
    {
        Signals.Send(ProcessId, Signals.Terminate);
        await _process!.WaitForExitAsync().WaitAsync(Patience);
    }

    /// <summary>SIGSTOP: connections stay, nothing is answered.</summary>
    public void Pause() => Signals.Send(ProcessId, Signals.Stop);

    /// <summary>SIGCONT.</summary>
    public void Resume() => Signals.Send(ProcessId, Signals.Continue);

    /// <summary>From now on it follows another, and refuses writes; unless Sentinels make it the primary meanwhile.</summary>
    public async Task FollowAsync(RedisServer primary)
    {
        var port = primary.Port.ToString(CultureInfo.InvariantCulture);
        Expect("+OK", await CommandAsync("REPLICAOF", primary.Address.ToString(), port));
        await WaitForAsync(
            "its primary's data", reply => reply.Contains("master_link_status:up", StringComparison.Ordinal) || reply.Contains("role:master", StringComparison.Ordinal), "INFO", "replication");
    }

    /// <summary>From now on it follows nobody, and takes writes.</summary>
    public async Task LeadAsync() => Expect("+OK", await CommandAsync("REPLICAOF", "NO", "ONE"));

    /// <summary>Whether it takes itself for a primary at the moment.</summary>
    public async Task<bool> IsPrimaryAsync() => (await CommandAsync("INFO", "replication")).Contains("role:master", StringComparison.Ordinal);

    internal static void Expect(string begin, string reply)
    {
        if (!reply.StartsWith(begin, StringComparison.Ordinal))
            throw new InvalidOperationException($"Redis answered {reply.Trim()}, not {begin}.");
    }

    /// <summary>One command, in redis-cli's manner; the raw reply, a character for each byte.</summary>
    public async Task<string> CommandAsync(params string[] command)
    {
        // Over its own loopback: what is wrong in the lab does not keep the harness from asking.
        using var socket = Host?.NewSocket() ?? new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using var patience = new CancellationTokenSource(Patience);
        await socket.ConnectAsync(IPAddress.Loopback, Port, patience.Token);
        await using var stream = new NetworkStream(socket);
        var text = new StringBuilder();
        if (Password is not null)
            text.Append("AUTH ").Append(Password).Append("\r\n");
        text.Append('*').Append(command.Length).Append("\r\n");
        foreach (var word in command)
            text.Append('$').Append(Encoding.UTF8.GetByteCount(word)).Append("\r\n").Append(word).Append("\r\n");

        // A Sentinel knows no ECHO, and a server that can't write down its data answers no PING.
        text.Append(_isSentinel ? "PING" : "ECHO").Append(" the-end\r\n");
        await stream.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()), patience.Token);

        const string end = "$7\r\nthe-end\r\n";
        var reply = new StringBuilder();
        var buffer = new byte[16 << 10];
        while (!reply.ToString().EndsWith(end, StringComparison.Ordinal))
        {
            var count = await stream.ReadAsync(buffer, patience.Token);
            if (count == 0)
                throw new IOException($"redis-server on port {Port} closed the connection; it said: {reply}");
            reply.Append(Encoding.Latin1.GetString(buffer, 0, count));
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
        // Written once: what it has noted there itself since, such as whose replica it is, stays as on a machine of its own.
        var config = Path.Combine(_folder, "redis.conf");
        if (!File.Exists(config))
            await File.WriteAllLinesAsync(config, ConfigLines());
        _process?.Dispose();
        string[] arguments = _isSentinel ? [config, "--sentinel"] : [config];
        _process = ChildProcess.Start(new ProcessStartInfo("redis-server", arguments) { WorkingDirectory = _folder }, Host);
        var mine = string.Create(CultureInfo.InvariantCulture, $"process_id:{_process.Id}\r");
        await WaitForAsync("our own process", reply => reply.Contains(mine, StringComparison.Ordinal), "INFO", "server");
        await WaitForAsync("its data loaded", reply => reply.StartsWith("+PONG", StringComparison.Ordinal), "PING");
    }

    private IEnumerable<string> ConfigLines()
    {
        string[] place =
        [
            $"port {Port}", Host is null ? "bind 127.0.0.1" : $"bind 127.0.0.1 {Host.Address}", $"dir {_folder}", "daemonize no", "logfile redis.log",
            Host is null ? "protected-mode yes" : "protected-mode no",
        ];
        string[] data = _isSentinel ? [] : ["save \"\"", $"cluster-port {BusPort}"];
        string[] passwords = Password is null ? [] : [$"requirepass {Password}", $"masterauth {Password}"];
        return [.. place, .. data, .. passwords, .. _options];
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
