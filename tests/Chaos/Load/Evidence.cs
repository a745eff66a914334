using VmoCluster.Chaos.History;
using VmoCluster.Harness;

namespace VmoCluster.Chaos.Load;

/// <summary>What is kept of a run in which something was wrong: the verdict, each silo's log, all calls, and Redis' files with every write in them.</summary>
internal static class Evidence
{
    /// <summary>Writes it to a new folder, whose path is answered.</summary>
    public static async Task<string> KeepAsync(ClusterLab lab, string verdict, IEnumerable<HistoryEvent> events)
    {
        var folder = Directory.CreateTempSubdirectory("vmo-chaos-").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "verdict.txt"), verdict);
        await File.WriteAllLinesAsync(Path.Combine(folder, "calls.txt"), events.OrderBy(one => one.Began).Select(one => $"{one} {string.Join(' ', one.Shown)}"));
        foreach (var (silo, i) in lab.Cluster.Silos.Select((silo, i) => (silo, i)))
            await File.WriteAllTextAsync(Path.Combine(folder, $"silo-{i}.log"), silo.Log);
        foreach (var (node, i) in lab.Store.Nodes.Select((node, i) => (node, i)))
        {
            foreach (var file in Directory.EnumerateFiles(node.Folder, "*", SearchOption.AllDirectories))
                await CopyAsync(file, Path.Combine(folder, $"redis-{i}-{Path.GetFileName(file)}"));
        }

        return folder;
    }

    // A server of a cluster keeps its nodes.conf locked while it runs.
    private static async Task CopyAsync(string from, string to)
    {
        await using var source = new FileStream(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        await using var target = File.Create(to);
        await source.CopyToAsync(target);
    }
}
