using System.Diagnostics;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cli.Tests.Node;

/// <summary>The built <c>vmo</c> as a process: what scripts run.</summary>
internal sealed class Vmo(Uri endpoint)
{
    private static readonly TimeSpan EndWithin = TimeSpan.FromMinutes(3);

    /// <summary>The program's file.</summary>
    public static string Program { get; } = BuiltServer.Find("client/Cli", "vmo");

    public Dictionary<string, string> Environment { get; } = [];

    /// <summary>Runs to its end.</summary>
    public async Task<Done> RunAsync(string[] args, byte[]? input = null)
    {
        await using var running = Start(args);
        if (input is not null)
            await running.FeedAsync(input);
        running.EndInput();
        return await running.EndAsync();
    }

    /// <summary>Runs what must succeed and say nothing on stderr.</summary>
    public async Task<Done> OkAsync(params string[] args)
    {
        var done = await RunAsync(args);
        Assert.Equal("", done.Error);
        Assert.Equal(0, done.ExitCode);
        return done;
    }

    public Running Start(params string[] args)
    {
        var start = new ProcessStartInfo(Program, args) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("VMO_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        start.Environment["VMO_ENDPOINT"] = endpoint.ToString();
        foreach (var (name, value) in Environment)
            start.Environment[name] = value;
        return new(Process.Start(start)!, string.Join(' ', args));
    }

    /// <summary>A command under way.</summary>
    internal sealed class Running : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly string _what;
        private readonly Task<byte[]> _output;
        private readonly Task<string> _error;

        public Running(Process process, string what)
        {
            (_process, _what) = (process, what);
            _output = AllAsync(process.StandardOutput.BaseStream);
            _error = process.StandardError.ReadToEndAsync();
        }

        public int Id => _process.Id;

        public async Task FeedAsync(ReadOnlyMemory<byte> input)
        {
            try
            {
                await _process.StandardInput.BaseStream.WriteAsync(input);
                await _process.StandardInput.BaseStream.FlushAsync();
            }
            catch (IOException)
            {
                // It ended without reading all; its exit code says why.
            }
        }

        public void EndInput() => _process.StandardInput.Close();

        public void Interrupt() => Signals.Send(_process.Id, Signals.Interrupt);

        public async Task<Done> EndAsync()
        {
            using var limit = new CancellationTokenSource(EndWithin);
            try
            {
                await _process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"vmo {_what} did not end within {EndWithin.TotalSeconds} s");
            }

            return new(_process.ExitCode, await _output, await _error);
        }

        public async ValueTask DisposeAsync()
        {
            if (!_process.HasExited)
            {
                _process.Kill();
                await _process.WaitForExitAsync();
            }

            _process.Dispose();
        }

        private static async Task<byte[]> AllAsync(Stream stream)
        {
            using var all = new MemoryStream();
            await stream.CopyToAsync(all);
            return all.ToArray();
        }
    }
}
