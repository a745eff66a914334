namespace VmoCluster.Cluster.Tests.Docs;

/// <summary>Where a newcomer's terminal stands: in the repository, as it seems, but what the steps make must not be there, so a folder that looks like it.</summary>
internal sealed class ReadmeFolder : IDisposable
{
    public ReadmeFolder()
    {
        foreach (var entry in Directory.GetFileSystemEntries(Repository.Root))
            File.CreateSymbolicLink(System.IO.Path.Combine(Path, System.IO.Path.GetFileName(entry)), entry);
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("vmo-readme-").FullName;

    /// <summary>Runs a shell there, the command line in its path; its exit code and what it printed.</summary>
    public Task<(int Code, string Output)> RunAsync(string shell, IReadOnlyDictionary<string, string> environment)
    {
        var variables = new Dictionary<string, string>(environment)
        {
            ["PATH"] = $"{Repository.PathOf("client/Cli/bin/Release/net10.0")}:{Environment.GetEnvironmentVariable("PATH")}",
            ["VMO_HANDLE"] = "",
        };
        return Command.RunAsync("bash", ["-euo", "pipefail", "-c", shell], Path, variables, TimeSpan.FromMinutes(3));
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
