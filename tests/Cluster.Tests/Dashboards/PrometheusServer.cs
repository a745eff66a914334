using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace VmoCluster.Cluster.Tests.Dashboards;

/// <summary>A real Prometheus in a process and folder of its own, on loopback, with this repository's sample configuration pointed at other targets.</summary>
internal sealed class PrometheusServer : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _folder;
    private readonly HttpClient _http;
    private readonly Task<string> _log;

    private PrometheusServer(Process process, string folder, int port)
    {
        _process = process;
        _folder = folder;
        _http = new() { BaseAddress = new($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromSeconds(10) };
        _log = process.StandardError.ReadToEndAsync();
    }

    /// <summary>Starts it scraping the targets (host:port) every second, and waits until each was scraped once.</summary>
    public static async Task<PrometheusServer> StartAsync(params string[] targets)
    {
        var folder = Directory.CreateTempSubdirectory("vmo-prometheus-").FullName;
        var sample = Repository.Read("dashboards/prometheus/prometheus.yml");
        const string Target = "\"127.0.0.1:7071\"", Interval = "scrape_interval: 5s";
        if (!sample.Contains(Target, StringComparison.Ordinal) || !sample.Contains(Interval, StringComparison.Ordinal))
            throw new InvalidOperationException("prometheus.yml is not as this test expects it");
        await File.WriteAllTextAsync(Path.Combine(folder, "prometheus.yml"), sample
            .Replace(Target, string.Join(", ", targets.Select(t => $"\"{t}\"")), StringComparison.Ordinal)
            .Replace(Interval, "scrape_interval: 1s", StringComparison.Ordinal));
        File.Copy(Repository.PathOf("dashboards/prometheus/alerts.yml"), Path.Combine(folder, "alerts.yml"));

        // A port that is free now may be taken in a moment; Prometheus then ends, and another is tried.
        for (var attempt = 1; ; attempt++)
        {
            var port = FreePort();
            var start = new ProcessStartInfo("prometheus",
            [
                "--config.file", Path.Combine(folder, "prometheus.yml"), "--storage.tsdb.path", Path.Combine(folder, "data"),
                "--web.listen-address", $"127.0.0.1:{port}", "--log.level", "warn",
            ])
            { RedirectStandardError = true };
            var server = new PrometheusServer(Process.Start(start)!, folder, port);
            if (await server.IsScrapingAsync(targets.Length))
                return server;
            var log = await server.EndAsync();
            if (attempt == 3)
                throw new InvalidOperationException($"Prometheus does not scrape {string.Join(", ", targets)}: {log}");
        }
    }

    /// <summary>Every series of a query over a stretch of time, sampled each second: the series' labels and its values.</summary>
    public async Task<IReadOnlyList<(string Labels, double[] Values)>> QueryAsync(string expression, DateTimeOffset from, DateTimeOffset to)
    {
        using var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["query"] = expression,
            ["start"] = from.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            ["end"] = to.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            ["step"] = "1",
        });
        using var response = await _http.PostAsync("/api/v1/query_range", form);
        using var answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        if (answer.RootElement.GetProperty("status").GetString() != "success")
            throw new InvalidOperationException($"Prometheus refuses '{expression}': {answer.RootElement.GetProperty("error").GetString()}");
        return [.. answer.RootElement.GetProperty("data").GetProperty("result").EnumerateArray().Select(series => (
            series.GetProperty("metric").GetRawText(),
            series.GetProperty("values").EnumerateArray().Select(v => double.Parse(v[1].GetString()!, CultureInfo.InvariantCulture)).ToArray()))];
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<bool> IsScrapingAsync(int targets)
    {
        for (var deadline = Stopwatch.StartNew(); deadline.Elapsed < TimeSpan.FromSeconds(60) && !_process.HasExited; await Task.Delay(200))
        {
            try
            {
                var now = DateTimeOffset.UtcNow;
                var up = await QueryAsync("up == 1", now, now);
                if (up.Count == targets)
                    return true;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException or JsonException or KeyNotFoundException)
            {
                // Not listening or not ready yet: asked again until the deadline.
            }
        }

        return false;
    }

    private async Task<string> EndAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        return await _log;
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
