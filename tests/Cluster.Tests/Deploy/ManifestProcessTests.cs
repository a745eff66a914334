using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using k8s.Models;
using VmoCluster.Client;
using VmoCluster.Harness;
using Xunit;

namespace VmoCluster.Cluster.Tests.Deploy;

public sealed class ManifestProcessTests : IDisposable
{
    private readonly Manifests _base = Manifests.Load();
    private readonly string _folder = Directory.CreateTempSubdirectory("vmo-pods-").FullName;

    // All of 127/8 is this machine: a network of its own for each run, so that two runs never share a port.
    private readonly string _network = string.Create(CultureInfo.InvariantCulture, $"127.{RandomNumberGenerator.GetInt32(10, 250)}.{RandomNumberGenerator.GetInt32(1, 250)}");

    [Fact]
    public async Task Three_silos_and_a_Redis_start_serve_and_stop_as_the_manifests_say()
    {
        var silos = _base.Named<V1StatefulSet>("vmo-silo");
        var secrets = new Dictionary<string, string>
        {
            ["vmo-redis/password"] = "example-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)),
            ["vmo-operator/credential"] = "vmoop_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)),
        };
        var hosts = new Dictionary<string, string> { ["vmo-redis"] = $"{_network}.1" };

        await using var redis = Pod.Start(_base.Named<V1StatefulSet>("vmo-redis"), 0, $"{_network}.1", [], secrets, hosts, _folder);
        await redis.WaitForAsync(redis.Startup);
        Assert.True(await redis.ProbeAsync(redis.Readiness));

        var pods = new List<Pod>();
        try
        {
            for (var i = 0; i < silos.Spec.Replicas; i++)
                pods.Add(Pod.Start(silos, i, $"{_network}.{i + 2}", Entrypoint(), secrets, hosts, _folder));
            foreach (var pod in pods)
            {
                await pod.WaitForAsync(pod.Startup);
                await pod.WaitForAsync(pod.Readiness);
                Assert.True(await pod.ProbeAsync(pod.Liveness));
            }

            // One cluster: what is written through the first is read through the last.
            await using var writer = VmoClient.Connect(new() { Endpoints = [Grpc(pods[0])] });
            await using var reader = VmoClient.Connect(new() { Endpoints = [Grpc(pods[^1])] });
            var vmo = await writer.CreateAsync(1 << 20);
            await vmo.WriteAsync(4096, new byte[] { 1, 2, 3 });
            var read = new byte[3];
            await reader.Open(vmo.Handle).ReadAsync(4096, read);
            Assert.Equal([1, 2, 3], read);

            // And each knows the operator by the one credential they share.
            await using var operatorClient = VmoClient.Connect(new() { Endpoints = [Grpc(pods[1])], OperatorToken = secrets["vmo-operator/credential"] });
            Assert.Equal(vmo.Koid, (await operatorClient.OperatorHandleAsync(vmo.Koid)).Koid);

            // SIGTERM ends each within what the manifest grants beside preStop, in order, and the others go on serving.
            var grace = TimeSpan.FromSeconds(silos.Spec.Template.Spec.TerminationGracePeriodSeconds!.Value - silos.Spec.Template.Spec.Containers[0].Lifecycle.PreStop.Sleep.Seconds);
            foreach (var pod in pods)
            {
                Assert.True(await pod.EndAsync(grace) == 0, pod.Output);
                if (pod != pods[^1])
                    await reader.Open(vmo.Handle).ReadAsync(4096, read);
            }

            Assert.DoesNotContain(pods, p => secrets.Values.Any(s => p.Output.Contains(s, StringComparison.Ordinal)));
            Assert.Equal(0, await redis.EndAsync(TimeSpan.FromSeconds(30)));
        }
        catch (VmoException refused)
        {
            throw new InvalidOperationException(string.Join("\n", pods.Select(p => $"--- {p.Name} printed:\n{p.Output}")), refused);
        }
        finally
        {
            foreach (var pod in pods)
                await pod.DisposeAsync();
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Uri Grpc(Pod pod) => new($"http://{pod.Address}:{pod.PortOf("grpc")}");

    // The image's entrypoint, with /app being what the build put there.
    private static List<string> Entrypoint()
    {
        var line = Repository.Read("deploy/Dockerfile").Split('\n').Single(l => l.StartsWith("ENTRYPOINT ", StringComparison.Ordinal));
        return [.. JsonSerializer.Deserialize<string[]>(line["ENTRYPOINT ".Length..])!.Select(part => part.Replace("/app/", Path.GetDirectoryName(BuiltServer.Path) + "/", StringComparison.Ordinal))];
    }
}
