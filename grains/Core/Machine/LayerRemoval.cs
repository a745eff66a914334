using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Machine;

/// <summary>
/// Removes a frozen layer that nobody looks through: its blobs, a portion at a time, then the layer itself, together with the field of another
/// layer that still named it. What had been folded into it and still stands goes first. Each step may be repeated: whoever goes on after a
/// crash begins again.
/// </summary>
/// <param name="state">The VMO.</param>
/// <param name="layer">What is to go.</param>
/// <param name="strike">Out of the layer's head: which layer forgets it, by which field.</param>
/// <param name="done">Told once with the layer's head when it is gone; null if it was gone before.</param>
internal sealed class LayerRemoval(MachineState state, LayerId layer, Func<LayerSummary, (LayerId Holder, StoreField Field)> strike, Action<LayerSummary?> done)
{
    private const int BlobsAtOnce = 1024;

    /// <summary>Milliseconds after which what the store refused is tried again.</summary>
    private const int RetryMs = 500;

    private readonly Queue<BlobId> _blobs = [];
    private LayerSummary? _head;
    private LayerRemoval? _folded;
    private bool _isListed;
    private bool _isBusy;
    private long _againMs;

    /// <summary>Goes on, or begins, unless it waits for the store. To be called again after a while when the store refused something.</summary>
    public void Advance()
    {
        if (_isBusy || state.IsEnded || state.Now.MonotonicMs < _againMs)
            return;
        if (_folded is not null)
            _folded.Advance();
        else if (_head is null)
            Busy(new LoadFields(layer, LayerSummary.Names) { Then = Loaded });
        else if (_head.Folded is [var folded, ..])
            RemoveFolded(folded);
        else if (!_isListed)
            Busy(new ScanLeaves(layer) { Then = Listed });
        else if (_blobs.Count > 0)
            Busy(new UnlinkBlobs(layer, [.. _blobs.Take(BlobsAtOnce)]) { Then = Unlinked });
        else
            Drop();
    }

    private void Loaded(StoredHash? found, Outcome outcome)
    {
        if (HasFailed(outcome.IsOk))
            return;
        // Gone already: freed by whoever had the VMO before.
        if (found is null)
        {
            done(null);
            return;
        }

        _head = LayerSummary.Decode(layer, found);
        foreach (var blob in _head.Garbage.Concat(_head.WrittenAhead).Concat(_head.Doubtful))
            _blobs.Enqueue(blob);
        Advance();
    }

    private void RemoveFolded(uint folded)
    {
        var rest = _head!.Folded.Where(number => number != folded).ToArray();
        _folded = new(state, new(layer.Home, folded), _ => (layer, new(FieldNames.Folded, LayerHead.EncodeNumbers(rest))), _ =>
        {
            (_folded, _head) = (null, _head with { Folded = rest });
            Advance();
        });
        _folded.Advance();
    }

    private void Listed(IReadOnlyList<StoreField> fields, Outcome outcome)
    {
        if (HasFailed(outcome.IsOk))
            return;
        _isListed = true;
        var blobs = new HashSet<BlobId>();
        foreach (var field in fields)
        {
            if (LeafCodec.Decode(field.Value.Span) is not { } leaf)
                continue;
            for (var i = 0; i < Limits.LeafPages; i++)
            {
                if (leaf[i].IsStored && blobs.Add(leaf[i].Blob))
                    _blobs.Enqueue(leaf[i].Blob);
            }
        }

        Advance();
    }

    private void Unlinked(Outcome outcome)
    {
        if (HasFailed(outcome.IsOk))
            return;
        for (var left = Math.Min(BlobsAtOnce, _blobs.Count); left > 0; left--)
            _blobs.Dequeue();
        Advance();
    }

    private void Drop()
    {
        var (holder, field) = strike(_head!);
        Busy(new DropLayer(layer, holder, field)
        {
            Then = isDone =>
            {
                if (!HasFailed(isDone))
                    done(_head);
            },
        });
    }

    private bool HasFailed(bool isOk)
    {
        _isBusy = false;
        if (!isOk)
            _againMs = state.Now.MonotonicMs + RetryMs;
        return !isOk;
    }

    private void Busy(VmoEffect effect)
    {
        _isBusy = true;
        state.Effects.Add(effect);
    }
}
