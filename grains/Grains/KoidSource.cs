using VmoCluster.Core.Store;

namespace VmoCluster.Grains;

/// <summary>Koids for this silo, taken from the store in blocks. What is left of a block when the silo ends is never used.</summary>
public sealed class KoidSource(IPageStore store) : IDisposable
{
    private readonly SemaphoreSlim _gate = new(1);
    private ulong _next;
    private ulong _end;

    /// <summary>A koid nobody has had.</summary>
    public async ValueTask<Koid> TakeAsync(CancellationToken cancellation)
    {
        await _gate.WaitAsync(cancellation);
        try
        {
            if (_next == _end)
            {
                _next = (await store.AllocateKoidsAsync(Limits.KoidBlock, cancellation)).Value;
                _end = _next + Limits.KoidBlock;
            }

            return new(_next++);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Koids in a row that nobody has had; the first of them.</summary>
    public ValueTask<Koid> TakeRowAsync(int count, CancellationToken cancellation) =>
        count == 1 ? TakeAsync(cancellation) : store.AllocateKoidsAsync(count, cancellation);

    /// <inheritdoc/>
    public void Dispose() => _gate.Dispose();
}
