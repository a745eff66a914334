using System.Globalization;
using System.Text;

namespace VmoCluster.Cli.Operator;

/// <summary>
/// A node on this machine as the kernel shows it: who listens at a port, and which settings it was started with. So the operator's credential
/// is found wherever the node's data folder is; whoever may not look into the node's process may not read its credential either. Settings
/// from a node's --config file are not seen.
/// </summary>
internal static class LocalNode
{
    private static readonly string[] SocketTables = ["/proc/net/tcp", "/proc/net/tcp6"];

    private const string Listening = "0A";
    private const string DataDefault = "vmo-data";

    /// <summary>Where the node that listens at a loopback endpoint keeps its operator's credential; null if there is none to be seen.</summary>
    public static string? OperatorPathOf(Uri endpoint)
    {
        if (!endpoint.IsLoopback || ProcessAt(endpoint.Port) is not { } process)
            return null;
        try
        {
            var words = Encoding.UTF8.GetString(File.ReadAllBytes($"{process}/cmdline")).Split('\0');
            var variables = Encoding.UTF8.GetString(File.ReadAllBytes($"{process}/environ")).Split('\0');
            var folder = new FileInfo($"{process}/cwd").LinkTarget ?? "/";
            var file = Setting(words, variables, "--operator-file", "Vmo__OperatorFile");
            var data = Setting(words, variables, "--data", "Vmo__Data") ?? DataDefault;
            return Path.GetFullPath(file ?? Path.Combine(data, "operator"), folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It has ended meanwhile, or is somebody else's.
            return null;
        }
    }

    // The command line goes before the environment, as in the node.
    private static string? Setting(string[] words, string[] variables, string option, string variable)
    {
        for (var i = words.Length - 1; i >= 0; i--)
        {
            if (words[i] == option && i + 1 < words.Length)
                return words[i + 1];
            if (words[i].StartsWith(option + "=", StringComparison.Ordinal))
                return words[i][(option.Length + 1)..];
        }

        var set = variables.FirstOrDefault(v => v.StartsWith(variable + "=", StringComparison.OrdinalIgnoreCase));
        return set?[(variable.Length + 1)..];
    }

    private static string? ProcessAt(int port)
    {
        var sockets = SocketTables.Where(File.Exists).SelectMany(File.ReadLines)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(f => f.Length > 9 && f[3] == Listening && f[1].EndsWith(string.Create(CultureInfo.InvariantCulture, $":{port:X4}"), StringComparison.Ordinal))
            .Select(f => $"socket:[{f[9]}]").ToHashSet();
        return sockets.Count == 0 ? null : Directory.EnumerateDirectories("/proc").FirstOrDefault(process => Holds(process, sockets));
    }

    private static bool Holds(string process, HashSet<string> sockets)
    {
        if (!char.IsAsciiDigit(Path.GetFileName(process)[0]))
            return false;
        try
        {
            return Directory.EnumerateFiles($"{process}/fd").Any(file => new FileInfo(file).LinkTarget is { } target && sockets.Contains(target));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
