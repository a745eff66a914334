using VmoCluster.Client;
using VmoCluster.Harness;

namespace VmoCluster.Cluster.Tests.Nodes;

/// <summary>Clients of nodes, and what HTTP says of them.</summary>
internal static class Nodes
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(10) };

    public static VmoClient Connect(params Uri[] endpoints) => VmoClient.Connect(new() { Endpoints = endpoints, Deadline = TimeSpan.FromSeconds(30), ConnectTimeout = TimeSpan.FromSeconds(30) });

    public static async Task<(int Code, string Text)> GetAsync(SiloProcess silo, string path)
    {
        using var answer = await Http.GetAsync(new Uri(silo.Http, path));
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }
}
