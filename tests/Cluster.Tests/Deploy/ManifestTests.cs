using k8s.Models;
using Xunit;
using YamlDotNet.Core;

namespace VmoCluster.Cluster.Tests.Deploy;

public class ManifestTests
{
    private readonly Manifests _base = Manifests.Load();

    [Fact]
    public void The_base_is_three_silos_and_a_Redis_and_names_every_file_of_its_folder()
    {
        var files = Directory.GetFiles(Repository.PathOf(Manifests.Folder)).Select(Path.GetFileName).Where(f => f != "kustomization.yaml").Order();
        Assert.Equal(Manifests.Files.Order(), files);
        Assert.Equal(3, _base.Named<V1StatefulSet>("vmo-silo").Spec.Replicas);
        Assert.Equal(1, _base.Named<V1StatefulSet>("vmo-redis").Spec.Replicas);
    }

    [Fact]
    public void A_misspelt_field_would_be_refused()
    {
        var yaml = Repository.Read($"{Manifests.Folder}/silo.yaml");
        Assert.Contains("readinessProbe:", yaml);
        Assert.ThrowsAny<YamlException>(() => Manifests.Parse(yaml.Replace("readinessProbe:", "readynessProbe:", StringComparison.Ordinal)));
        Assert.ThrowsAny<YamlException>(() => Manifests.Parse(yaml.Replace("replicas: 3", "replicas: three", StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_selector_and_port_name_leads_to_a_pod_that_has_it()
    {
        var pods = _base.All<V1StatefulSet>().Select(s => s.Spec.Template).ToList();
        foreach (var set in _base.All<V1StatefulSet>())
        {
            Assert.Superset(set.Spec.Selector.MatchLabels.ToHashSet(), set.Spec.Template.Metadata.Labels.ToHashSet());
            Assert.Contains(_base.All<V1Service>(), s => s.Metadata.Name == set.Spec.ServiceName && s.Spec.ClusterIP == "None");
            foreach (var probe in Probes(set.Spec.Template.Spec.Containers[0]))
                Assert.Contains(set.Spec.Template.Spec.Containers[0].Ports, p => p.Name == (probe.HttpGet?.Port ?? probe.TcpSocket.Port).Value);
        }

        foreach (var service in _base.All<V1Service>())
        {
            var pod = Assert.Single(pods, p => service.Spec.Selector.All(p.Metadata.Labels.Contains));
            foreach (var port in service.Spec.Ports)
                Assert.Contains(pod.Spec.Containers[0].Ports, p => p.Name == port.TargetPort.Value && p.ContainerPort == port.Port);
        }

        var budget = Assert.Single(_base.All<V1PodDisruptionBudget>());
        Assert.Single(pods, p => budget.Spec.Selector.MatchLabels.All(p.Metadata.Labels.Contains));
        Assert.Equal("2", budget.Spec.MinAvailable.Value);
    }

    [Fact]
    public void Pods_run_without_root_without_a_token_and_on_a_read_only_file_system()
    {
        foreach (var pod in _base.All<V1StatefulSet>().Select(s => s.Spec.Template.Spec))
        {
            Assert.True(pod.SecurityContext.RunAsNonRoot);
            Assert.False(pod.AutomountServiceAccountToken);
            var container = Assert.Single(pod.Containers);
            Assert.True(container.SecurityContext.ReadOnlyRootFilesystem);
            Assert.False(container.SecurityContext.AllowPrivilegeEscalation);
            Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
            Assert.True(container.Resources.Requests.ContainsKey("cpu"));
            Assert.False(container.Resources.Limits.ContainsKey("cpu"), "a CPU limit throttles, and a throttled silo misses its lease");
            Assert.True(container.Resources.Limits.ContainsKey("memory"));
        }
    }

    [Theory]
    [InlineData("vmo-silo", "silo", "app.kubernetes.io/name", "vmo-silo")]
    [InlineData("vmo-redis", "redis", "app.kubernetes.io/name", "vmo-silo")]
    [InlineData("vmo-silo", "grpc", "vmo-cluster/client", "true")]
    [InlineData("vmo-silo", "http", "vmo-cluster/metrics", "true")]
    public void Each_port_is_reached_by_its_own_callers_only(string pod, string port, string label, string value)
    {
        var policy = Assert.Single(_base.All<V1NetworkPolicy>(), p => p.Spec.PodSelector.MatchLabels["app.kubernetes.io/name"] == pod);
        Assert.Equal(["Ingress"], policy.Spec.PolicyTypes);
        // A rule without ports would open all of them, a rule without peers would let everybody in.
        Assert.All(policy.Spec.Ingress, rule => { Assert.NotEmpty(rule.Ports); Assert.NotEmpty(rule.FromProperty); });
        var rule = Assert.Single(policy.Spec.Ingress, r => r.Ports.Any(p => p.Port.Value == port));
        var peer = Assert.Single(rule.FromProperty);
        Assert.Equal(new Dictionary<string, string> { [label] = value }, peer.PodSelector.MatchLabels);
        Assert.Null(peer.IpBlock);
        if (label.StartsWith("app.", StringComparison.Ordinal))
            Assert.Null(peer.NamespaceSelector);
    }

    private static IEnumerable<V1Probe> Probes(V1Container container) =>
        new[] { container.StartupProbe, container.LivenessProbe, container.ReadinessProbe }.Where(p => p is not null);
}
