using VmoCluster.Core.Store;

namespace VmoCluster.Grains;

/// <summary>Koids for this silo, taken from the store in blocks. What is left of a block when the silo ends is never used.</summary>
public sealed class KoidSource(IPageStore store) : IDisposable
{
    private readonly SemaphoreSlim _gate = new(1);
    private ulong _next;
    private ulong _end;

    // How often the rest of a block was given up, and when the present one was taken.
    private int _forgotten;
    private int _takenAt;

    /// <summary>A koid nobody has had.</summary>
    public async ValueTask<Koid> TakeAsync(CancellationToken cancellation)
    {
        await _gate.WaitAsync(cancellation);
        try
        {
            while (true)
            {
                var forgotten = Volatile.Read(ref _forgotten);
                if (_next != _end && _takenAt == forgotten)
                    return new(_next++);

                // Gone before the next is asked for: a store that does not answer leaves none, and not one that looks fresh.
                _next = _end;
                var first = (await store.AllocateKoidsAsync(Limits.KoidBlock, cancellation)).Value;
                (_next, _end, _takenAt) = (first, first + Limits.KoidBlock, forgotten);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Koids in a row that nobody has had; the first of them.</summary>
    public ValueTask<Koid> TakeRowAsync(int count, CancellationToken cancellation) =>
        count == 1 ? TakeAsync(cancellation) : store.AllocateKoidsAsync(count, cancellation);

    /// <summary>The block in hand may be given out again: nothing more of it is used.</summary>
    public void Forget() => Interlocked.Increment(ref _forgotten);

    /// <inheritdoc/>
    public void Dispose() => _gate.Dispose();
}
