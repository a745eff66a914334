using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace VmoCluster.Harness;

/// <summary>
/// A node as its users run it: the built server in a process of its own, free ports, ready when it has said so on stdout. It can be stopped,
/// killed, frozen, and started again on the same data and ports. It ends with the tests' process. In a lab's participant it listens at the
/// participant's address, and <see cref="Endpoint"/> and <see cref="Http"/> are this machine's ways in, which no fault of the lab is on.
/// </summary>
public sealed partial class SiloProcess : IAsyncDisposable
{
    private const int LogLinesKept = 2000;
    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(45);

    private readonly SiloOptions _options;
    private readonly bool _isDataOurs;
    private readonly Queue<string> _log = new();
    private Process? _process;

    // Kept as long as this: somebody may be asking the one before whether it has ended while the next is started.
    private readonly List<Process> _former = [];
    private TcpProxy? _endpointDoor;
    private TcpProxy? _httpDoor;
    private TaskCompletionSource<string> _ready = NewReady();

    private SiloProcess(SiloOptions options)
    {
        _options = options;
        _isDataOurs = options.Data is null;
        Data = options.Data ?? Directory.CreateTempSubdirectory("vmo-silo-").FullName;
    }

    /// <summary>The data folder.</summary>
    public string Data { get; }

    /// <summary>Where gRPC is.</summary>
    public Uri Endpoint => ThroughDoor(_endpointDoor, InnerEndpoint);

    /// <summary>Where metrics and health are.</summary>
    public Uri Http => ThroughDoor(_httpDoor, InnerHttp);

    /// <summary>Where gRPC is for the lab's other participants.</summary>
    public Uri InnerEndpoint { get; private set; } = new("http://127.0.0.1:0");

    /// <summary>The lab's participant it runs in, if it does.</summary>
    public LabHost? Host => _options.Host;

    /// <summary>What is between <see cref="Endpoint"/> and the silo in a lab.</summary>
    public TcpProxy? Door => _endpointDoor;

    private Uri InnerHttp { get; set; } = new("http://127.0.0.1:0");

    /// <summary>The line it printed when it was ready.</summary>
    public string ReadyLine { get; private set; } = "";

    /// <summary>The session it opened last.</summary>
    public ulong Session { get; private set; }

    /// <summary>The operator's credential of this node.</summary>
    public string OperatorToken => File.ReadLines(Path.Combine(Data, "operator")).First();

    public int ProcessId => _process!.Id;

    public bool HasExited => _process!.HasExited;

    public int ExitCode => _process!.ExitCode;

    /// <summary>What it logged so far, all its lives together; the newest lines.</summary>
    public string Log
    {
        get
        {
            lock (_log)
            {
                return string.Join('\n', _log);
            }
        }
    }

    /// <summary>Starts a node and waits until it is ready. What it logged is in the failure when it is not.</summary>
    public static async Task<SiloProcess> StartAsync(SiloOptions? options = null)
    {
        var silo = new SiloProcess(options ?? new());
        try
        {
            await silo.RunAsync();
            return silo;
        }
        catch
        {
            await silo.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a node that is expected to refuse its start, to its end.</summary>
    public static async Task<SiloRefusal> RefuseAsync(SiloOptions options)
    {
        var silo = new SiloProcess(options);
        try
        {
            silo.Launch();
            var ended = silo._process!.WaitForExitAsync();
            if (await Task.WhenAny(ended, silo._ready.Task, Task.Delay(options.ReadyWithin)) != ended)
            {
                throw new TimeoutException($"The node did not refuse its start. Ready: {silo._ready.Task.IsCompleted}. It logged:\n{silo.Log}");
            }

            await ended;
            return new(silo._process.ExitCode, silo.Log);
        }
        finally
        {
            await silo.DisposeAsync();
        }
    }

    /// <summary>SIGTERM, and waits for the end. Its exit code is given.</summary>
    public async Task<int> StopAsync()
    {
        Signals.Send(ProcessId, Signals.Terminate);
        return await EndAsync("SIGTERM");
    }

    /// <summary>SIGINT, as Ctrl-C sends it.</summary>
    public async Task<int> InterruptAsync()
    {
        Signals.Send(ProcessId, Signals.Interrupt);
        return await EndAsync("SIGINT");
    }

    /// <summary>SIGKILL: nothing is said to anybody.</summary>
    public async Task KillAsync()
    {
        Signals.Send(ProcessId, Signals.Kill);
        await EndAsync("SIGKILL");
    }

    /// <summary>SIGSTOP: it stands still, its connections stay.</summary>
    public void Pause() => Signals.Send(ProcessId, Signals.Stop);

    /// <summary>SIGCONT.</summary>
    public void Resume() => Signals.Send(ProcessId, Signals.Continue);

    /// <summary>Starts it again on the same data and ports, ended before or not.</summary>
    public async Task RestartAsync()
    {
        if (!HasExited)
        {
            await StopAsync();
        }

        await RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await KillAsync();
        }

        _process?.Dispose();
        _former.ForEach(process => process.Dispose());
        foreach (var door in new[] { _endpointDoor, _httpDoor }.OfType<TcpProxy>())
        {
            await door.DisposeAsync();
        }

        if (_isDataOurs)
        {
            Directory.Delete(Data, recursive: true);
        }
    }

    private static TaskCompletionSource<string> NewReady() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task<int> EndAsync(string how)
    {
        try
        {
            await _process!.WaitForExitAsync().WaitAsync(StopWithin);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"The node did not end within {StopWithin.TotalSeconds} s of {how}. It logged:\n{Log}");
        }

        return _process.ExitCode;
    }

    private async Task RunAsync()
    {
        _ready = NewReady();
        Launch();
        var ended = _process!.WaitForExitAsync();
        var first = await Task.WhenAny(_ready.Task, ended, Task.Delay(_options.ReadyWithin));
        if (first != _ready.Task)
        {
            var why = first == ended ? $"ended with {_process.ExitCode}" : $"is not ready after {_options.ReadyWithin.TotalSeconds} s";
            // One that nobody reaches is none: whoever starts it again finds it ended.
            _process.Kill();
            await ended.WaitAsync(StopWithin).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw new InvalidOperationException($"The node {why}. It logged:\n{Log}");
        }

        ReadyLine = await _ready.Task;
        InnerEndpoint = Told("endpoint");
        InnerHttp = Told("http");
        if (Host is not null)
        {
            _endpointDoor ??= DoorTo(InnerEndpoint);
            _httpDoor ??= DoorTo(InnerHttp);
        }
    }

    private TcpProxy DoorTo(Uri inside) => new(new IPEndPoint(Host!.Address, inside.Port), connectsFrom: Host);

    private static Uri ThroughDoor(TcpProxy? door, Uri inside) => door is null ? inside : new UriBuilder(inside) { Host = "127.0.0.1", Port = door.Port }.Uri;

    private Uri Told(string what)
    {
        var word = ReadyLine.Split(' ').FirstOrDefault(word => word.StartsWith(what + "=", StringComparison.Ordinal));
        return word is null ? throw new InvalidOperationException($"No {what} in the ready line: {ReadyLine}") : new Uri(word[(what.Length + 1)..]);
    }

    private void Launch()
    {
        var start = new ProcessStartInfo("dotnet", [BuiltServer.Path, .. Arguments()])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Data,
        };

        // A setting of whoever runs the tests is none of the node's.
        foreach (var name in start.Environment.Keys.Where(IsOfAnother).ToList())
        {
            start.Environment.Remove(name);
        }

        if (_options.RedisPassword is not null)
        {
            start.Environment["Vmo__RedisPassword"] = _options.RedisPassword;
        }

        foreach (var (name, value) in _options.Environment)
        {
            start.Environment[name] = value;
        }

        var (process, ready) = (ChildProcess.Start(start, Host), _ready);
        process.OutputDataReceived += (_, line) => Take(line.Data, ready);
        process.ErrorDataReceived += (_, line) => Take(line.Data, null);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (_process is not null)
            _former.Add(_process);
        _process = process;
    }

    private static bool IsOfAnother(string name) =>
        name.StartsWith("Vmo__", StringComparison.OrdinalIgnoreCase) || name.StartsWith("VMO_", StringComparison.Ordinal)
        || name.StartsWith("OTEL_", StringComparison.Ordinal) || name.StartsWith("ASPNETCORE_", StringComparison.Ordinal);

    private List<string> Arguments()
    {
        var address = Host?.Address ?? IPAddress.Loopback;
        var arguments = new List<string> { "--data", Data };
        AddUnlessGiven(arguments, "--listen", string.Create(CultureInfo.InvariantCulture, $"{address}:{InnerEndpoint.Port}"));
        AddUnlessGiven(arguments, "--http", string.Create(CultureInfo.InvariantCulture, $"{address}:{InnerHttp.Port}"));
        AddUnlessGiven(arguments, "--nbd", "none");
        if (Host is not null)
        {
            arguments.AddRange(["--address", address.ToString(), "--allow-unauthenticated"]);
        }

        if (_options.Redis is not null)
        {
            arguments.AddRange(["--redis", _options.Redis]);
        }

        if (_options.Prefix is not null)
        {
            arguments.AddRange(["--prefix", _options.Prefix]);
        }

        if (_options.HasGateway)
        {
            arguments.AddRange(["--gateway-port", "0"]);
        }

        arguments.AddRange(_options.Arguments);
        return arguments;
    }

    // What a test gives itself, on the command line or in the environment, the harness leaves alone.
    private void AddUnlessGiven(List<string> arguments, string option, string value)
    {
        var variable = "Vmo__" + option.TrimStart('-');
        if (!_options.Arguments.Contains(option) && !_options.Environment.Keys.Contains(variable, StringComparer.OrdinalIgnoreCase))
        {
            arguments.AddRange([option, value]);
        }
    }

    private void Take(string? line, TaskCompletionSource<string>? ready)
    {
        if (line is null)
        {
            return;
        }

        lock (_log)
        {
            _log.Enqueue(line);
            if (_log.Count > LogLinesKept)
            {
                _log.Dequeue();
            }
        }

        if (SessionLine().Match(line) is { Success: true } opened)
        {
            Session = ulong.Parse(opened.Groups[1].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        }

        if (ready is not null && line.StartsWith("ready ", StringComparison.Ordinal))
        {
            ready.TrySetResult(line);
        }
    }

    [GeneratedRegex("Session ([0-9a-f]+) is open")]
    private static partial Regex SessionLine();
}

/// <summary>How a node refused its start.</summary>
/// <param name="ExitCode">64 for usage, 1 for everything else.</param>
/// <param name="Output">All it printed.</param>
public sealed record SiloRefusal(int ExitCode, string Output);
