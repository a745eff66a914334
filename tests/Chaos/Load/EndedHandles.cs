using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace VmoCluster.Chaos.Load;

/// <summary>Handles whose close or revoke has been answered, the newest of them. Thread-safe.</summary>
internal sealed class EndedHandles
{
    private const int Most = 256;

    private readonly Lock _lock = new();
    private readonly List<VmoHandle> _handles = [];
    private int _next;

    /// <summary>What a history calls a handle.</summary>
    public static ulong NumberOf(VmoHandle handle) => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.ASCII.GetBytes(handle.Reveal())));

    public void Add(VmoHandle handle)
    {
        lock (_lock)
        {
            if (_handles.Count < Most)
                _handles.Add(handle);
            else
                _handles[_next++ % Most] = handle;
        }
    }

    /// <summary>Null: there is none yet.</summary>
    public VmoHandle? Any(Random random)
    {
        lock (_lock)
            return _handles.Count == 0 ? null : _handles[random.Next(_handles.Count)];
    }
}
