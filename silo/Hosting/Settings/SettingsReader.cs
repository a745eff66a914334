using System.Collections;
using System.Net;
using System.Text;
using Microsoft.Extensions.Configuration;
using StackExchange.Redis;

namespace VmoCluster.Hosting.Settings;

/// <summary>
/// Reads a node's settings: command line before environment before configuration file before defaults. What it does not know is an error
/// that names the nearest known setting: a mistyped setting must not silently be its default.
/// </summary>
public static class SettingsReader
{
    private const string Section = "Vmo";
    private const string ConfigOption = "--config";

    /// <summary>Reads and checks everything. Throws <see cref="SettingsException"/> with all mistakes at once.</summary>
    /// <param name="args">The command line, without the program's name.</param>
    /// <param name="environment">Variables of the environment, by name.</param>
    public static VmoNodeOptions Read(IReadOnlyList<string> args, IDictionary environment)
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(environment);
        var mistakes = new List<string>();
        var (given, file) = ReadCommandLine(args, mistakes);
        var options = new VmoNodeOptions();
        if (file is not null)
        {
            ApplyAll(options, ReadFile(file, mistakes), key => $"{Section}:{key} in {file}", mistakes);
        }

        ApplyAll(options, ReadEnvironment(environment), key => $"{Section}__{key}", mistakes);
        foreach (var (setting, text) in given)
        {
            Apply(options, setting, text, setting.Option!, mistakes);
        }

        if (mistakes.Count == 0)
        {
            mistakes.AddRange(Contradictions(options));
        }

        return mistakes.Count == 0 ? options : throw new SettingsException(string.Join('\n', mistakes));
    }

    /// <summary>What <c>--help</c> prints.</summary>
    public static string Help()
    {
        var help = new StringBuilder("""
            vmo node: one silo of VMO Cluster.

            Alone, with everything in a folder:   dotnet run -c Release --project silo/Server
            A member of a cluster on Redis:       dotnet run -c Release --project silo/Server -- --redis HOST:6379 --listen 127.0.0.1:0 --http 127.0.0.1:0

            When it serves, it prints one line:   ready endpoint=http://127.0.0.1:7070 http=http://127.0.0.1:7071
            Logs go to stderr. SIGTERM or Ctrl-C leaves gracefully.

            Options (default in parentheses)

            """);
        foreach (var setting in NodeSettings.All.Where(setting => setting.Option is not null))
        {
            help.Append("  ").Append($"{setting.Option} {setting.Argument}".PadRight(32)).AppendLine(setting.Help);
        }

        help.AppendLine($"  {ConfigOption} FILE                   settings from a JSON file: {{\"Vmo\": {{\"Data\": \"/srv/vmo\", ...}}}}")
            .AppendLine("  --help, --version")
            .AppendLine()
            .AppendLine("Each is also a variable of the environment, and a key of the file; the command line is stronger than both:")
            .AppendLine("  " + string.Join(" ", NodeSettings.All.Select(setting => $"{Section}__{setting.Key}")))
            .AppendLine($"Redis' password comes from {Section}__RedisPassword or a file, never from the command line.")
            .AppendLine("Traces and metrics go to OTEL_EXPORTER_OTLP_ENDPOINT where that is set; metrics are at /metrics in any case.");
        return help.ToString();
    }

    private static (List<(NodeSetting Setting, string Text)> Given, string? File) ReadCommandLine(IReadOnlyList<string> args, List<string> mistakes)
    {
        var given = new List<(NodeSetting, string)>();
        string? file = null;
        for (var i = 0; i < args.Count; i++)
        {
            var equals = args[i].IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? args[i] : args[i][..equals];
            var text = equals < 0 ? null : args[i][(equals + 1)..];
            var setting = NodeSettings.All.FirstOrDefault(setting => setting.Option == name);
            if (setting is null && name != ConfigOption)
            {
                var known = NodeSettings.All.Select(known => known.Option).OfType<string>().Append(ConfigOption);
                mistakes.Add($"{name}: there is no such option{Meant(Nearest.To(name, known))}");
                continue;
            }

            if (setting is { IsSwitch: true })
            {
                given.Add((setting, text ?? bool.TrueString));
                continue;
            }

            if (text is null && (i + 1 == args.Count || args[i + 1].StartsWith("--", StringComparison.Ordinal)))
            {
                mistakes.Add($"{name}: a value must follow");
                continue;
            }

            text ??= args[++i];
            if (setting is null)
            {
                file = text;
            }
            else
            {
                given.Add((setting, text));
            }
        }

        return (given, file);
    }

    private static Dictionary<string, string> ReadEnvironment(IDictionary environment)
    {
        var found = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (DictionaryEntry variable in environment)
        {
            if (variable.Key is string name && name.StartsWith(Section + "__", StringComparison.OrdinalIgnoreCase))
            {
                found[name[(Section.Length + 2)..]] = variable.Value as string ?? "";
            }
        }

        return found;
    }

    private static Dictionary<string, string> ReadFile(string file, List<string> mistakes)
    {
        try
        {
            var section = new ConfigurationBuilder().AddJsonFile(Path.GetFullPath(file), optional: false).Build().GetSection(Section);
            return section.AsEnumerable(makePathsRelative: true)
                .Where(pair => pair.Value is not null)
                .ToDictionary(pair => pair.Key, pair => pair.Value!, StringComparer.OrdinalIgnoreCase);
        }
        catch (Exception failure) when (failure is IOException or InvalidDataException or FormatException or UnauthorizedAccessException)
        {
            mistakes.Add($"{ConfigOption} {file}: cannot be read: {(failure.InnerException ?? failure).Message}");
            return [];
        }
    }

    private static void ApplyAll(VmoNodeOptions options, Dictionary<string, string> found, Func<string, string> nameOf, List<string> mistakes)
    {
        foreach (var (key, text) in found)
        {
            var setting = NodeSettings.All.FirstOrDefault(setting => string.Equals(setting.Key, key, StringComparison.OrdinalIgnoreCase));
            if (setting is null)
            {
                var nearest = Nearest.To(key, NodeSettings.All.Select(known => known.Key));
                mistakes.Add($"{nameOf(key)}: there is no such setting{Meant(nearest is null ? null : nameOf(nearest))}");
            }
            else
            {
                Apply(options, setting, text, nameOf(setting.Key), mistakes);
            }
        }
    }

    private static void Apply(VmoNodeOptions options, NodeSetting setting, string text, string name, List<string> mistakes)
    {
        var allowed = text.Length == 0 ? "must not be empty" : setting.Apply(options, text);
        if (allowed is null)
        {
            return;
        }

        // A password is in no message, not even a wrong one.
        mistakes.Add(setting.Option is null ? $"{name}: {allowed}" : $"{name}: {allowed}; it is '{text}'");
    }

    private static string Meant(string? nearest) => nearest is null ? "; --help lists them" : $"; did you mean {nearest}?";

    private static IEnumerable<string> Contradictions(VmoNodeOptions options)
    {
        if (options.Redis is { } redis && WhyNotRedis(redis) is { } why)
        {
            yield return $"--redis: {why}; it must be a StackExchange.Redis configuration, such as 10.0.0.7:6379 or 10.0.0.7:6380,ssl=true";
        }

        if (options.IsEmbedded && options.Durability.ReplicaCount > 0)
        {
            yield return $"--durability {options.Durability}: the embedded store has no replicas; give --redis, or leave it at primary";
        }

        if (options.IsEmbedded && (options.RedisPassword ?? options.RedisPasswordFile) is not null)
        {
            yield return "A password for Redis is given, but no --redis: give both or neither";
        }

        if (options.RedisCa is not null && !IsOverTls(options.Redis))
        {
            yield return $"--redis-ca {options.RedisCa}: only a Redis over TLS shows a certificate; give --redis HOST:PORT,ssl=true with it";
        }

        if (!options.AllowUnauthenticated)
        {
            foreach (var (name, endpoint) in new[] { ("--listen", options.Listen), ("--http", options.Http), ("--nbd", options.Nbd as IPEndPoint) })
            {
                if (endpoint is not null && !IPAddress.IsLoopback(endpoint.Address))
                {
                    yield return $"{name} {endpoint}: this node authenticates nobody, so it listens on loopback only. "
                        + "Where a network policy or firewall guards the port, say --allow-unauthenticated (Vmo__AllowUnauthenticated=true)";
                }
            }
        }

        if ((options.NbdCertificateFile is null) != (options.NbdKeyFile is null))
        {
            yield return "--nbd-certificate and --nbd-key belong together: give both or neither";
        }

        (string Name, EndPoint? At)[] doors = [("--listen", options.Listen), ("--http", options.Http), ("--nbd", options.Nbd)];
        foreach (var (i, door) in doors.Index())
        {
            if (door.At is IPEndPoint { Port: not 0 } && doors[..i].FirstOrDefault(other => door.At.Equals(other.At)) is { Name: { } other })
            {
                yield return $"{other} and {door.Name} are both {door.At}: they need a port each";
            }
        }
    }

    // One that cannot be read is told by itself.
    private static bool IsOverTls(string? redis) => redis is not null && (WhyNotRedis(redis) is not null || ConfigurationOptions.Parse(redis).Ssl);

    // The text itself is not repeated: it may hold a password.
    private static string? WhyNotRedis(string configuration)
    {
        try
        {
            return ConfigurationOptions.Parse(configuration).EndPoints.Count == 0 ? "names no server" : null;
        }
        catch (ArgumentException failure)
        {
            return failure.Message;
        }
    }
}
