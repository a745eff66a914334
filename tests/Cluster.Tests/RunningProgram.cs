using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace VmoCluster.Cluster.Tests;

/// <summary>A program that runs until it is told to end, in a process group of its own, so that whatever it starts ends with it.</summary>
internal sealed class RunningProgram : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly string _name;

    private RunningProgram(Process process, string name)
    {
        _process = process;
        _name = name;
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        process.StandardInput.Close();
    }

    public bool HasEnded => _process.HasExited;

    /// <summary>Everything it printed so far.</summary>
    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    /// <summary>Starts a program. Its environment is this process' own, without what would configure a node, and the variables given.</summary>
    public static RunningProgram Start(string name, string folder, IEnumerable<string> command, IReadOnlyDictionary<string, string> environment)
    {
        // setsid makes the program the leader of a group; it keeps the process id.
        var start = new ProcessStartInfo("setsid", command)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var inherited in start.Environment.Keys.Where(k => k.StartsWith("Vmo__", StringComparison.OrdinalIgnoreCase)).ToList())
            start.Environment.Remove(inherited);
        foreach (var (variable, value) in environment)
            start.Environment[variable] = value;
        return new(Process.Start(start)!, name);
    }

    /// <summary>Waits for a line that begins so, and gives it.</summary>
    public async Task<string> WaitForLineAsync(string beginning, TimeSpan patience)
    {
        for (var waited = Stopwatch.StartNew(); waited.Elapsed < patience; await Task.Delay(50))
        {
            var ended = HasEnded;
            if (Output.Split('\n').FirstOrDefault(l => l.StartsWith(beginning, StringComparison.Ordinal)) is { } line)
                return line;
            if (ended)
                throw new InvalidOperationException($"{_name} ended with {_process.ExitCode} before it printed '{beginning}':\n{Output}");
        }

        throw new TimeoutException($"{_name} did not print '{beginning}' in {patience.TotalSeconds} s:\n{Output}");
    }

    /// <summary>Sends a signal to the program alone, or as a terminal does, to its whole group.</summary>
    public async Task SignalAsync(string signal, bool group = false)
    {
        var target = _process.Id.ToString(CultureInfo.InvariantCulture);
        await Command.RunAsync("/bin/kill", ["-s", signal, "--", group ? "-" + target : target], "/");
    }

    /// <summary>Waits until it has ended and gives its exit code.</summary>
    public async Task<int> WaitForEndAsync(TimeSpan patience)
    {
        using var patient = new CancellationTokenSource(patience);
        try
        {
            await _process.WaitForExitAsync(patient.Token);
            return _process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"{_name} did not end in {patience.TotalSeconds} s:\n{Output}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await SignalAsync("KILL", group: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is null)
            return;
        lock (_output)
            _output.Append(line.Data).Append('\n');
    }
}
