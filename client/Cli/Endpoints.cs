using System.Net.Sockets;
using VmoCluster.Cli.Parsing;

namespace VmoCluster.Cli;

/// <summary>Where the cluster's doors are: URLs, comma-separated.</summary>
internal static class Endpoints
{
    public const string Default = "http://127.0.0.1:7070";

    /// <summary>Reads <c>URL[,URL...]</c>; a HOST:PORT alone is http. Throws a usage error that names the bad one.</summary>
    public static IReadOnlyList<Uri> Parse(string text, string source)
    {
        var endpoints = new List<Uri>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var isUrl = Uri.TryCreate(part.Contains("://", StringComparison.Ordinal) ? part : $"http://{part}", UriKind.Absolute, out var uri);
            if (part.Length == 0 || !isUrl || uri is not { Scheme: "http" or "https", Host.Length: > 0, PathAndQuery: "/", UserInfo: "" })
                throw new UsageException($"{source}: '{part}' is not the URL of a node; one looks like {Default}");
            endpoints.Add(uri);
        }

        return endpoints;
    }

    /// <summary>Whether anything takes a connection there: null, or why not. It asks no more than that.</summary>
    public static async Task<string?> ProbeAsync(Uri endpoint, CancellationToken cancellation)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(endpoint.DnsSafeHost, endpoint.Port, cancellation);
            return null;
        }
        catch (SocketException exception)
        {
            return exception.Message;
        }
    }
}
