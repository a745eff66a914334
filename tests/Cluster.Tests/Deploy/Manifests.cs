using k8s;
using k8s.Models;

namespace VmoCluster.Cluster.Tests.Deploy;

/// <summary>The objects of deploy/kustomize/base, as the Kubernetes client's own models read them, strictly.</summary>
internal sealed class Manifests
{
    public const string Folder = "deploy/kustomize/base";

    private Manifests(List<object> objects) => Objects = objects;

    public IReadOnlyList<object> Objects { get; }

    /// <summary>The files the kustomization names, in its order.</summary>
    public static IReadOnlyList<string> Files { get; } = ReadFiles();

    public static Manifests Load()
    {
        var objects = new List<object>();
        foreach (var file in Files)
            objects.AddRange(Parse(Repository.Read($"{Folder}/{file}")));
        return new(objects);
    }

    /// <summary>Reads documents as the models have them; an unknown field or a value of the wrong type throws.</summary>
    public static List<object> Parse(string yaml) => KubernetesYaml.LoadAllFromString(yaml, null, strict: true);

    public IEnumerable<T> All<T>() => Objects.OfType<T>();

    public T Named<T>(string name) where T : IKubernetesObject<V1ObjectMeta> =>
        Objects.OfType<T>().Single(o => o.Metadata.Name == name);

    private static List<string> ReadFiles()
    {
        var lines = Repository.Read($"{Folder}/kustomization.yaml").Split('\n');
        return [.. lines.SkipWhile(l => l != "resources:").Skip(1).TakeWhile(l => l.StartsWith("  - ", StringComparison.Ordinal)).Select(l => l[4..].Trim())];
    }
}
