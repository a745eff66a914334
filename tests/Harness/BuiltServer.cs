namespace VmoCluster.Harness;

/// <summary>The server as the build that the running tests belong to has made it.</summary>
public static class BuiltServer
{
    /// <summary>The server's assembly, for <c>dotnet PATH</c>; one that was published, where <c>VMO_SERVER</c> names it.</summary>
    public static string Path { get; } = Environment.GetEnvironmentVariable("VMO_SERVER") ?? Find("silo/Server", "VmoCluster.Server.dll");

    /// <summary>A file of another project's output, of the same configuration as the running tests.</summary>
    /// <param name="project">The project's folder in the repository.</param>
    /// <param name="file">The file's name.</param>
    public static string Find(string project, string file)
    {
        // ROOT/tests/X/bin/Release/net10.0/
        var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(System.IO.Path.DirectorySeparatorChar));
        var (framework, configuration) = (output.Name, output.Parent!.Name);
        for (var folder = output; folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(System.IO.Path.Combine(folder.FullName, "Cluster.sln")))
            {
                continue;
            }

            var path = System.IO.Path.Combine(folder.FullName, project, "bin", configuration, framework, file);
            return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is missing: build {project} first (dotnet build Cluster.sln -c {configuration})");
        }

        throw new DirectoryNotFoundException($"No Cluster.sln above {AppContext.BaseDirectory}");
    }
}
