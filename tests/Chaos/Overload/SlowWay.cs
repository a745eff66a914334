using System.Diagnostics;
using System.Globalization;
using VmoCluster.Harness;

namespace VmoCluster.Chaos.Overload;

/// <summary>A slow way to a Redis, in a process of its own: what callers take of this one must not make it slower.</summary>
internal sealed class SlowWay : IAsyncDisposable
{
    private readonly Process _process;

    private SlowWay(Process process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    /// <summary>Starts this program once more, as the way.</summary>
    public static async Task<SlowWay> StartAsync(int port, TimeSpan delay)
    {
        var arguments = string.Create(CultureInfo.InvariantCulture, $"way --port {port} --delay {(int)delay.TotalMilliseconds}");
        var start = new ProcessStartInfo("dotnet", $"{Path.Combine(AppContext.BaseDirectory, "VmoCluster.Chaos.dll")} {arguments}")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var process = Process.Start(start)!;
        var line = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The slow way did not start.");
        return new(process, int.Parse(line, CultureInfo.InvariantCulture));
    }

    /// <summary>Is the way, until nobody holds the other end of the standard input any more.</summary>
    public static async Task RunAsync(int port, int delayMs)
    {
        await using var way = new TcpProxy(port);
        way.Delay(TimeSpan.FromMilliseconds(delayMs));
        await Console.Out.WriteLineAsync(way.Port.ToString(CultureInfo.InvariantCulture));
        await Console.Out.FlushAsync();
        await Console.In.ReadToEndAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
