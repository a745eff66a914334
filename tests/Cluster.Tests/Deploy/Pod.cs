using System.Text.RegularExpressions;
using k8s.Models;

namespace VmoCluster.Cluster.Tests.Deploy;

/// <summary>
/// One pod of a StatefulSet as a process on this machine: the manifest's command, arguments, environment, ports, probes and signals.
/// Replaced is only what Kubernetes itself supplies: the pod's name and address, secrets, host names, and the folders behind volumes.
/// </summary>
internal sealed partial class Pod : IAsyncDisposable
{
    private readonly V1Container _container;
    private readonly RunningProgram _program;
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(5) };

    private Pod(V1Container container, string name, string address, RunningProgram program)
    {
        _container = container;
        _program = program;
        Name = name;
        Address = address;
    }

    public string Name { get; }

    public string Address { get; }

    public string Output => _program.Output;

    /// <param name="set">The StatefulSet.</param>
    /// <param name="ordinal">Which pod of it.</param>
    /// <param name="address">The pod's address, one of loopback.</param>
    /// <param name="entrypoint">The image's entrypoint; a command in the manifest replaces it, as it would there.</param>
    /// <param name="secrets">The value of SECRET/KEY.</param>
    /// <param name="hosts">The address of each service name.</param>
    /// <param name="folder">Where the volumes' folders are made.</param>
    public static Pod Start(V1StatefulSet set, int ordinal, string address, IReadOnlyList<string> entrypoint,
        IReadOnlyDictionary<string, string> secrets, IReadOnlyDictionary<string, string> hosts, string folder)
    {
        var container = set.Spec.Template.Spec.Containers.Single();
        var name = $"{set.Metadata.Name}-{ordinal}";
        var mounts = container.VolumeMounts.ToDictionary(m => m.MountPath, m => Path.Combine(folder, name, m.Name));
        foreach (var mount in container.VolumeMounts)
        {
            Directory.CreateDirectory(mounts[mount.MountPath]);
            if (set.Spec.Template.Spec.Volumes?.SingleOrDefault(v => v.Name == mount.Name)?.Secret is { } secret)
                Project(secret, secrets, mounts[mount.MountPath]);
        }

        // In one pass: what a name was replaced by may contain another (/tmp).
        var names = string.Join('|', hosts.Keys.Select(h => Regex.Escape(h) + @"(?=:\d)").Concat(mounts.Keys.Select(m => Regex.Escape(m) + @"(?![\w-])")));
        string OnThisMachine(string text) =>
            Regex.Replace(text, $@"(?<![\w./-])(?:{names})", m => hosts.GetValueOrDefault(m.Value) ?? mounts[m.Value]);

        var environment = new Dictionary<string, string>();
        foreach (var variable in container.Env)
            environment[variable.Name] = OnThisMachine(ValueOf(variable, name, address, secrets, environment));
        IEnumerable<string> Said(IEnumerable<string>? words) => (words ?? []).Select(word => OnThisMachine(Expand(word, environment)));
        List<string> command = [.. container.Command is null ? entrypoint : Said(container.Command), .. Said(container.Args)];
        return new(container, name, address, RunningProgram.Start(name, folder, command, environment));
    }

    /// <summary>Asks a probe once: what the kubelet would find. A TCP probe holds when the port takes a connection.</summary>
    public async Task<bool> ProbeAsync(V1Probe probe)
    {
        try
        {
            if (probe.HttpGet is { } get)
            {
                using var response = await _http.GetAsync(new Uri($"http://{Address}:{PortOf(get.Port.Value)}{get.Path}"));
                return (int)response.StatusCode is >= 200 and < 400;
            }

            using var socket = new System.Net.Sockets.TcpClient();
            await socket.ConnectAsync(Address, PortOf(probe.TcpSocket.Port.Value));
            return true;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or System.Net.Sockets.SocketException)
        {
            return false;
        }
    }

    /// <summary>Asks a probe as often and as long as it says; fails where the kubelet would give up.</summary>
    public async Task WaitForAsync(V1Probe probe)
    {
        var period = TimeSpan.FromSeconds(probe.PeriodSeconds ?? 10);
        for (var tries = 0; tries < (probe.FailureThreshold ?? 3); tries++)
        {
            if (await ProbeAsync(probe))
                return;
            Assert(!_program.HasEnded, "ended");
            await Task.Delay(period);
        }

        Assert(false, "did not answer its probe");
    }

    public V1Probe Startup => _container.StartupProbe;

    public V1Probe Liveness => _container.LivenessProbe;

    public V1Probe Readiness => _container.ReadinessProbe;

    public int PortOf(string name) => _container.Ports.Single(p => p.Name == name).ContainerPort;

    /// <summary>Ends it as the kubelet does, and gives its exit code.</summary>
    public async Task<int> EndAsync(TimeSpan grace)
    {
        await _program.SignalAsync("TERM");
        return await _program.WaitForEndAsync(grace);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _program.DisposeAsync();
    }

    private void Assert(bool holds, string complaint)
    {
        if (!holds)
            throw new InvalidOperationException($"{Name} {complaint}; it printed:\n{Output}");
    }

    // A mounted secret as the kubelet makes it: files with the declared mode in a folder of their own, and links to them.
    private static void Project(V1SecretVolumeSource source, IReadOnlyDictionary<string, string> secrets, string folder)
    {
        Directory.CreateDirectory(Path.Combine(folder, "..data"));
        foreach (var (name, value) in secrets.Where(s => s.Key.StartsWith(source.SecretName + "/", StringComparison.Ordinal)))
        {
            var key = name[(source.SecretName.Length + 1)..];
            var file = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = (UnixFileMode)source.DefaultMode!.Value };
            using (var writer = new StreamWriter(Path.Combine(folder, "..data", key), file))
                writer.Write(value);
            File.CreateSymbolicLink(Path.Combine(folder, key), Path.Combine("..data", key));
        }
    }

    private static string ValueOf(V1EnvVar variable, string name, string address, IReadOnlyDictionary<string, string> secrets, Dictionary<string, string> earlier)
    {
        if (variable.Value is { } value)
            return Expand(value, earlier);
        if (variable.ValueFrom.SecretKeyRef is { } secret)
            return secrets[$"{secret.Name}/{secret.Key}"];
        return variable.ValueFrom.FieldRef.FieldPath switch
        {
            "metadata.name" => name,
            "status.podIP" => address,
            var other => throw new NotSupportedException($"the downward API's {other} is not known here"),
        };
    }

    // $(NAME) of variables defined before, as Kubernetes expands them; others stay.
    private static string Expand(string text, Dictionary<string, string> variables) =>
        Reference().Replace(text, m => variables.GetValueOrDefault(m.Groups[1].Value, m.Value));

    [GeneratedRegex(@"\$\(([A-Za-z_]\w*)\)")]
    private static partial Regex Reference();
}
