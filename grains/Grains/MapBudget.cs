using VmoCluster.Core.Contents;

namespace VmoCluster.Grains;

/// <summary>The silo's budget of slot maps.</summary>
public sealed class MapBudget(long bytes) : IMapBudget
{
    private long _held;

    /// <summary>Bytes held now.</summary>
    public long Held => Volatile.Read(ref _held);

    /// <inheritdoc/>
    public bool IsOver => Held > bytes;

    /// <inheritdoc/>
    public void Add(long taken) => Interlocked.Add(ref _held, taken);
}
