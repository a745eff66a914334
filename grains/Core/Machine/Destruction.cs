using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// The end of a VMO whose last handle is closed and whose pages no child shows: its parent is told, its children become the parent's; the
/// blobs of its top go, then those of its frozen layers, each as soon as nobody looks through it; the VMOs it looked through are told; then
/// its record goes, with a tombstone that remembers the last answers. Each step may be repeated; whoever inherits the VMO begins again.
/// When nothing but the record is left, children of whom there are few are told to whom they report from now on; for the sake of many, it stays and
/// hands on what they report.
/// </summary>
internal sealed class Destruction(MachineState state, Loads loads) : ILoadWaiter
{
    private const int BlobsAtOnce = 1024;

    private const int RetryMs = 500;

    private readonly Queue<BlobId> _blobs = [];
    private readonly Queue<Koid> _homes = [];
    private bool _isParentTold;
    private bool _isTopListed;
    private bool _isTopGone;
    private bool _areHomesListed;

    // The highest of the own frozen layers that still stand; 0 for none. Null: not begun.
    private uint? _frozen;
    private LayerRemoval? _removal;
    private (uint Layer, Koid User) _offered;
    private bool _isAbsorbedGone;
    private readonly HashSet<Koid> _reparented = [];
    private long _againMs;
    private bool _isBusy;
    private TellKin? _tell;

    public int LoadsPending { get; set; }

    /// <summary>Whether it can go on only when others have told something.</summary>
    public bool IsWaiting => !_isBusy && IsParentTold && _isTopGone
        && ((_frozen is > 0 and var frozen && state.Record.Users.ContainsKey(frozen)) || (_frozen == 0 && _isAbsorbedGone && _homes.Count == 0 && state.Record.Children.Count > 0 && NextChild() is null));

    /// <summary>Makes durable here what a child was told.</summary>
    public Action<KinMessage> Enqueue { get; set; } = _ => { };

    /// <summary>Whether the children are the parent's now, if there is one.</summary>
    public bool IsParentTold => _isParentTold || state.Record.Meta.Parent.IsNone;

    /// <summary>Whether it looks through no layer of another VMO any more, and the homes are told, or will be.</summary>
    public bool HasLetGo => _areHomesListed;

    private LayerId Frozen => new(state.Layer.Id.Home, _frozen!.Value);

    /// <summary>Goes on, or begins.</summary>
    public void Advance()
    {
        if (_isBusy || state.IsEnded || state.Now.MonotonicMs < _againMs)
            return;
        if (IsWaiting)
        {
            OfferToLast();
            return;
        }

        if (_removal is not null)
        {
            _removal.Advance();
            return;
        }

        if (!IsParentTold)
            Tell(state.Record.Meta.Parent, new Rehome(state.Record.Meta.Koid, [.. state.Record.Children.Snapshots.Koids.Select(child => child.Value)]));
        else if (!_isTopGone)
            FreeTop();
        else if (_frozen > 0)
            FreeFrozen();
        else if (TellHomes())
            return;
        else if (!_isAbsorbedGone)
            FreeAbsorbed();
        else if (state.Record.Children.Count > 0)
            Reparent();
        else
            Busy(new Erase([state.Layer.Id], state.Record.Ring.ToFields()));
    }

    public void Told(KinTold input)
    {
        if (!ReferenceEquals(input.Tell, _tell))
            return;
        _isBusy = false;
        if (input.Tell.Message is Reparent)
        {
            Reparented(input.Tell.Target, input.Outcome);
            return;
        }

        if (!input.Outcome.IsOk)
        {
            Rest();
            return;
        }

        if (input.Tell.Message is Rehome)
            _isParentTold = true;
        else
            _homes.Dequeue();
        Advance();
    }

    public void Erased(Erased input)
    {
        _isBusy = false;
        if (!input.Done)
        {
            Rest();
            return;
        }

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
            foreach (var blob in state.Layer.Uses.Blobs.Concat(state.Layer.Dead).Concat(state.Layer.Doubtful).Distinct())
                _blobs.Enqueue(blob);
        }

        if (_blobs.Count > 0)
        {
            var some = _blobs.Take(BlobsAtOnce).ToArray();
            Busy(new UnlinkBlobs(state.Layer.Id, some) { AreFormersDone = some.Length == _blobs.Count, Then = outcome => Unlinked(some.Length, outcome) });
            return;
        }

        // Nothing is left of it, nor of owners before: also while it waits for those who look through the layers below.
        state.Layer.Dead.Clear();
        state.Layer.Doubtful.Clear();
        state.Layer.FormersLeft = 0;
        (_isTopGone, _frozen) = (true, state.Layer.Below.Under);
        Advance();
    }

    private void Unlinked(int count, Outcome outcome)
    {
        _isBusy = false;
        if (!outcome.IsOk)
        {
            Rest();
            return;
        }

        for (var left = count; left > 0; left--)
            _blobs.Dequeue();
        Advance();
    }

    private Koid? NextChild()
    {
        if (!state.Record.Children.AreReparented)
            return null;
        foreach (var child in state.Record.Children.Snapshots.Koids)
        {
            if (!_reparented.Contains(child))
                return child;
        }

        return null;
    }

    // The parent knows of the children. What one of them has reported here, or to one that reported here, has been handed on, or is still to be:
    // it is dying then, and keeps to the way its report takes.
    private void Reparent()
    {
        if (NextChild() is { } child)
            Tell(child, new Reparent(state.Record.Meta.Parent, state.Record.Meta.ParentGeneration));
    }

    private void Reparented(Koid child, Outcome outcome)
    {
        if (!outcome.IsOk)
        {
            Rest();
            return;
        }

        _reparented.Add(child);
        Enqueue(new Rehome(child, []));
    }

    // Whoever is the only one to look through what is left may take it over. It need not, and need not answer.
    private void OfferToLast()
    {
        // A lower layer that others look through, too, would stand beside its copy.
        if (_frozen is not > 0 || state.Record.Users.Count != 1 || !state.Record.Users.TryGetValue(_frozen.Value, out var users) || users.Count != 1 || !state.Record.Pins.IsEmpty || _offered == (_frozen.Value, users.First))
            return;
        _offered = (_frozen.Value, users.First);
        state.Effects.Add(new TellKin(users.First, new Alone(state.Record.Meta.Koid, _frozen.Value)));
    }

    // What it had absorbed lies under its stack.
    private void FreeAbsorbed()
    {
        if (state.Layer.Below.Bases.Count == 0)
        {
            _isAbsorbedGone = true;
            Advance();
            return;
        }

        var below = state.Layer.Below with { Bases = [.. state.Layer.Below.Bases.Where(item => item.Layer.Home != state.Layer.Id.Home)] };
        _removal = new(state, new(state.Layer.Id.Home, LayerId.AbsorbedNumber), _ => (state.Layer.Id, new(FieldNames.Below, below.Encode())), _ =>
        {
            (_removal, _isAbsorbedGone, state.Layer.Below) = (null, true, below);
            Advance();
        });
        _removal.Advance();
    }

    private void FreeFrozen()
    {
        _removal = new(state, Frozen, head => (state.Layer.Id, new(FieldNames.Below, (state.Layer.Below with { Under = head.Below.Under }).Encode())), head =>
        {
            (_removal, _frozen) = (null, head?.Below.Under ?? 0);
            state.Layer.Below = state.Layer.Below with { Under = _frozen.Value };
            Advance();
        });
        _removal.Advance();
    }

    // False: all homes of layers it looked through know that it does not any more. They are told also while it waits for children that look
    // through nothing of it: what only it looked through is not kept for their sake.
    private bool TellHomes()
    {
        if (!_areHomesListed)
        {
            _areHomesListed = true;
            if (state.Layer.Below.Bases.Count > 0)
            {
                ListHomes();
                return true;
            }
        }

        if (!_homes.TryPeek(out var next))
            return false;
        Tell(next, new UserGone(state.Record.Meta.Koid));
        return true;
    }

    // Those of its own windows, and those it looks through by what it has absorbed.
    private void ListHomes() => Busy(new LoadFields(new(state.Layer.Id.Home, LayerId.AbsorbedNumber), Family.LayerSummary.Names)
    {
        Then = (found, outcome) =>
        {
            (_isBusy, _areHomesListed) = (false, outcome.IsOk);
            if (!outcome.IsOk)
            {
                Rest();
                return;
            }

            var absorbed = found is null ? null : Family.LayerSummary.Decode(new(state.Layer.Id.Home, LayerId.AbsorbedNumber), found);
            var homes = state.Layer.Below.Bases.Concat(absorbed?.Below.Bases ?? []).Select(item => item.Layer.Home).ToHashSet();
            if (absorbed?.Left is { } left)
                homes.Add(left.Home);
            homes.Remove(state.Layer.Id.Home);
            foreach (var home in homes)
                _homes.Enqueue(home);
            Advance();
        },
    });

    // What fails at once would be tried as often as the processor can.
    private void Rest() => _againMs = state.Now.MonotonicMs + RetryMs;

    private void Tell(Koid target, KinMessage message) => Busy(_tell = new TellKin(target, message));

    private void Busy(VmoEffect effect)
    {
        _isBusy = true;
        state.Effects.Add(effect);
    }
}
