using System.Reflection;
using VmoCluster.Cli.Output;

namespace VmoCluster.Cli;

/// <summary>vmo --version: the client's version and the server's. A server that is not there is no failure of the question.</summary>
internal static class VersionReport
{
    private static readonly TimeSpan ServerWithin = TimeSpan.FromSeconds(3);

    /// <summary>This program's version.</summary>
    public static string Client { get; } =
        typeof(VersionReport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public static async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var (server, reason) = await ServerAsync(run, cancellation);
        run.Answer(
            json =>
            {
                json.WriteString("client", Client);
                if (server is null)
                    json.WriteNull("server");
                else
                    json.WriteString("server", server);
            },
            $"client {Client}\nserver {server ?? $"not reached: {reason}"}");
        return ExitCodes.Ok;
    }

    private static async Task<(string? Server, string Reason)> ServerAsync(Run run, CancellationToken cancellation)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limited.CancelAfter(ServerWithin);
        try
        {
            return (await (await run.ClientAsync(limited.Token)).ServerVersionAsync(limited.Token), "");
        }
        catch (Exception exception) when (exception is VmoException or NoConnectionException)
        {
            return (null, exception.Message);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return (null, $"no answer from {run.Connection.Where} within {ServerWithin.TotalSeconds} s");
        }
    }
}
