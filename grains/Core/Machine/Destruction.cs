using VmoCluster.Core.Contents;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// The end of a VMO whose last handle is closed and whose pages no child shows: its parent is told, its children become the parent's; the
/// blobs of its top go, then those of its frozen layers, each as soon as nobody looks through it; the VMOs it looked through are told; then
/// its record goes, with a tombstone that remembers the last answers. Each step may be repeated; whoever inherits the VMO begins again.
/// </summary>
internal sealed class Destruction(MachineState state, Loads loads) : ILoadWaiter
{
    private const int BlobsAtOnce = 1024;

    private readonly Queue<BlobId> _blobs = [];
    private readonly Queue<Koid> _homes = [];
    private bool _isParentTold;
    private bool _isTopListed;
    private bool _isTopGone;
    private bool _areHomesListed;

    // The highest of the own frozen layers that still stand; 0 for none. Null: not begun.
    private uint? _frozen;
    private bool _isFrozenListed;
    private uint _nextFrozen;
    private bool _isBusy;
    private UnlinkBlobs? _unlink;
    private TellKin? _tell;

    public int LoadsPending { get; set; }

    /// <summary>Whether it can go on only when others have told something.</summary>
    public bool IsWaiting => !_isBusy && IsParentTold && _isTopGone
        && ((_frozen is > 0 and var frozen && state.Record.Users.ContainsKey(frozen)) || (_frozen == 0 && _areHomesListed && _homes.Count == 0 && state.Record.Children.Count > 0));

    /// <summary>Whether the children are the parent's now, if there is one.</summary>
    public bool IsParentTold => _isParentTold || state.Record.Meta.Parent.IsNone;

    /// <summary>Whether it looks through no layer of another VMO any more, and the homes are told, or will be.</summary>
    public bool HasLetGo => _areHomesListed;

    private LayerId Frozen => new(state.Layer.Id.Home, _frozen!.Value);

    /// <summary>Goes on, or begins.</summary>
    public void Advance()
    {
        if (_isBusy || state.IsEnded || IsWaiting)
            return;
        if (!IsParentTold)
            Tell(state.Record.Meta.Parent, new Rehome(state.Record.Meta.Koid, [.. state.Record.Children.Snapshots.Koids.Select(child => child.Value)]));
        else if (!_isTopGone)
            FreeTop();
        else if (_frozen > 0)
            FreeFrozen();
        else if (!TellHomes() && state.Record.Children.Count == 0)
            Busy(new Erase([state.Layer.Id], state.Record.Ring.ToFields()));
    }

    public void Told(KinTold input)
    {
        if (!ReferenceEquals(input.Tell, _tell))
            return;
        _isBusy = false;
        if (!input.Outcome.IsOk)
            return;
        if (input.Tell.Message is Rehome)
            _isParentTold = true;
        else
            _homes.Dequeue();
        Advance();
    }

    public void Unlinked(BlobsUnlinked input)
    {
        // Another unlinking, begun before, may come to its end meanwhile.
        if (!ReferenceEquals(input.Unlink, _unlink))
            return;
        _isBusy = false;
        if (!input.Outcome.IsOk)
            return;
        for (var left = input.Unlink.Blobs.Count; left > 0; left--)
            _blobs.Dequeue();
        Advance();
    }

    /// <summary>All leaves of a frozen layer.</summary>
    public void Scanned(LeavesScanned input)
    {
        _isBusy = false;
        if (!input.Outcome.IsOk)
            return;
        _isFrozenListed = true;
        var blobs = new HashSet<BlobId>();
        foreach (var field in input.Fields)
        {
            if (LeafCodec.Decode(field.Value.Span) is not { } leaf)
                continue;
            for (var i = 0; i < Limits.LeafPages; i++)
            {
                if (leaf[i].IsStored)
                    blobs.Add(leaf[i].Blob);
            }
        }

        foreach (var blob in blobs)
            _blobs.Enqueue(blob);
        Advance();
    }

    /// <summary>What a frozen layer's head says.</summary>
    public void Loaded(HeadLoaded input)
    {
        _isBusy = false;
        if (!input.Outcome.IsOk)
            return;
        // A layer that is gone already was freed by whoever had the VMO before.
        if (input.Head is not { } head)
        {
            (_frozen, _isFrozenListed) = (0, false);
            Advance();
            return;
        }

        var (below, garbage) = LayerHead.DecodeRest(head);
        _nextFrozen = below.Under;
        foreach (var blob in garbage)
            _blobs.Enqueue(blob);
        Busy(new ScanLeaves(Frozen));
        Advance();
    }

    public void Dropped(LayerDropped input)
    {
        _isBusy = false;
        if (!input.Done)
            return;
        state.Layer.Below = input.Drop.Below;
        (_frozen, _isFrozenListed) = (_nextFrozen, false);
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

    private void FreeTop()
    {
        if (!_isTopListed && !state.Layer.Uses.IsComplete)
        {
            _isBusy = true;
            if (loads.NeedAll(this))
                return;
            _isBusy = false;
        }

        if (!_isTopListed)
        {
            _isTopListed = true;
            foreach (var blob in state.Layer.Uses.Blobs.Concat(state.Layer.Dead).Distinct())
                _blobs.Enqueue(blob);
        }

        if (Unlink(state.Layer.Id))
            return;
        (_isTopGone, _frozen) = (true, state.Layer.Below.Under);
        Advance();
    }

    private void FreeFrozen()
    {
        if (!_isFrozenListed)
            Busy(new LoadHead(Frozen));
        else if (!Unlink(Frozen))
            Busy(new DropLayer(Frozen, state.Layer.Id, state.Layer.Below with { Under = _nextFrozen }));
    }

    private bool Unlink(LayerId layer)
    {
        if (_blobs.Count == 0)
            return false;
        Busy(_unlink = new UnlinkBlobs(layer, [.. _blobs.Take(BlobsAtOnce)]));
        return true;
    }

    // False: all homes of layers it looked through know that it does not any more. They are told also while it waits for children that look
    // through nothing of it: what only it looked through is not kept for their sake.
    private bool TellHomes()
    {
        if (!_areHomesListed)
        {
            _areHomesListed = true;
            foreach (var home in state.Layer.Below.Bases.Select(item => item.Layer.Home).Distinct())
                _homes.Enqueue(home);
        }

        if (!_homes.TryPeek(out var next))
            return false;
        Tell(next, new UserGone(state.Record.Meta.Koid));
        return true;
    }

    private void Tell(Koid target, KinMessage message) => Busy(_tell = new TellKin(target, message));

    private void Busy(VmoEffect effect)
    {
        _isBusy = true;
        state.Effects.Add(effect);
    }
}
