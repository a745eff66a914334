using System.Collections.Concurrent;
using VmoCluster.Client;

namespace VmoCluster.Chaos.Load;

/// <summary>The VMOs of callers that share a client: where it joins calls, each handle's is one object, through which they are joined. Thread-safe.</summary>
internal sealed class OpenVmos(VmoClient client, bool areJoined)
{
    private readonly ConcurrentDictionary<VmoHandle, Vmo> _vmos = new();

    public Vmo Open(VmoHandle handle) => areJoined ? _vmos.GetOrAdd(handle, client.Open) : client.Open(handle);
}
