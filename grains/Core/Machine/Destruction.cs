using VmoCluster.Core.Contents;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Machine;

/// <summary>
/// The end of a VMO whose last handle is closed: its blobs, then its layer, then its record, with a tombstone that remembers the last answers.
/// Each step may be repeated; whoever inherits the VMO begins again.
/// </summary>
internal sealed class Destruction(MachineState state, Loads loads) : ILoadWaiter
{
    private const int BlobsAtOnce = 1024;

    private readonly Queue<BlobId> _blobs = [];
    private bool _isListed;
    private bool _isBusy;

    public int LoadsPending { get; set; }

    /// <summary>Goes on, or begins.</summary>
    public void Advance()
    {
        if (_isBusy || state.IsEnded)
            return;
        if (!_isListed && !state.Layer.Uses.IsComplete)
        {
            _isBusy = true;
            if (loads.NeedAll(this))
                return;
            _isBusy = false;
        }

        if (!_isListed)
        {
            _isListed = true;
            foreach (var blob in state.Layer.Uses.Blobs.Concat(state.Layer.Dead).Distinct())
                _blobs.Enqueue(blob);
        }

        _isBusy = true;
        if (_blobs.Count > 0)
            state.Effects.Add(new UnlinkBlobs([.. _blobs.Take(BlobsAtOnce)]));
        else
            state.Effects.Add(new Erase(state.Record.Ring.ToFields()));
    }

    public void Unlinked(BlobsUnlinked input)
    {
        _isBusy = false;
        if (!input.Outcome.IsOk)
            return;
        for (var left = input.Unlink.Blobs.Count; left > 0; left--)
            _blobs.Dequeue();
        Advance();
    }

    public void Erased(Erased input)
    {
        _isBusy = false;
        if (!input.Done)
            return;
        state.IsEnded = true;
        state.Effects.Add(new ClearUnfinished());
        state.Effects.Add(new EndActivation("the VMO was destroyed", Release: false));
    }

    public void PageArrived(in PageKey key, byte[]? page)
    {
    }

    public void LoadFailed(Outcome outcome)
    {
    }

    public void Resume()
    {
        _isBusy = false;
        if (state.Layer.Map.IsComplete)
            Advance();
    }
}
