using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// Keeps the own stack short: a frozen layer that no VMO elsewhere looks through is folded into the one over it, unless it is more than twice as
/// large. So the layers that stay grow geometrically: their number is logarithmic in the pages they hold, what they hold twice is at most as much
/// again, and a page is copied as often as the layer it lies in can double. One fold at a time; the VMO stands in its session's list of unfinished
/// work meanwhile, so that whoever inherits it removes what was being removed.
/// </summary>
internal sealed class Collapse(MachineState state, ChangeQueue queue)
{
    /// <summary>Pages up to which a layer is folded whatever lies over it.</summary>
    private const ulong SmallPages = 2 * Limits.BlobPagesMax;

    /// <summary>Pages above which a layer is left alone: its leaves would not fit into memory beside all else.</summary>
    private const ulong LargePages = 4 << 20;

    private const int RetryMs = 1000;

    // The own frozen layers by number, as far down as was looked: which lies under each, and its pages.
    private readonly Dictionary<uint, (uint Under, ulong Pages, bool HasFolded)> _stack = [];

    // Layers that could not be folded for what is in them.
    private readonly HashSet<uint> _leftAlone = [];

    // Layers of closed ancestors that only this VMO looks through: from how many own pages on they are taken in.
    private readonly Dictionary<LayerId, ulong> _offers = [];
    private Absorption? _absorption;
    private LayerSummary? _absorbed;
    private LayerRemoval? _removal;
    private bool _mayFind = state.Layer.Below.Under != 0 || IsAbsorbingNow(state);
    private bool _isBusy;
    private bool _isResting;
    private long _againMs;

    /// <summary>Stamps of the pins it asks for.</summary>
    public Func<ulong> NextStamp { get; set; } = () => 0;

    /// <summary>Whether something is begun that must come to its end.</summary>
    public bool IsAtWork { get; private set; }

    /// <summary>Whether a later tick may find work.</summary>
    public bool WantsTick => _mayFind;

    /// <summary>A layer was frozen, or others have ceased to look through one.</summary>
    public void Changed() => _mayFind = true;

    /// <summary>
    /// The VMO is dying: nothing is folded any more, and what was folded and still stands is removed. False: not yet; the stack must be left as it is.
    /// </summary>
    public bool TryRest()
    {
        if (_isResting)
            return true;
        _removal?.Advance();
        _absorption?.Resume();
        if (_isBusy || state.Now.MonotonicMs < _againMs || !HasLooked(out var chain))
            return false;
        if (chain.Find(number => _stack[number].HasFolded) is > 0 and var holder)
            Load(holder, RemoveFolded);
        // What was being taken in stays as it is: whoever pinned a layer for it asks how far it has come (Claim).
        else if (_absorbed is null && IsAbsorbing)
            Load(LayerId.AbsorbedNumber, Absorbed);
        else
            _isResting = true;
        return _isResting;
    }

    /// <summary>A closed ancestor says that nobody else looks through a layer of it.</summary>
    public void Offer(LayerId layer)
    {
        _offers.TryAdd(layer, 0);
        _mayFind = true;
    }

    /// <summary>Whether pins of this stamp may still come to something.</summary>
    public Outcome? Claim(IsPinned ask)
    {
        if (ask.Users != new KoidRange(state.Layer.Id.Home, 1))
            return null;
        if (_absorption?.Absorbed is { } now)
            _absorbed = now;
        if (_absorbed?.Below.Bases.Any(item => item.Layer == new LayerId(ask.Home, ask.Layer)) == true)
            return Outcome.Ok;
        // What is under way may come to it; and what an owner before did is to be looked at first.
        if (_absorption is null && (_absorbed is not null || !IsAbsorbing))
            return null;
        _mayFind = true;
        return new(VmoStatus.ShouldWait, "layers are being taken over", 100);
    }

    /// <summary>True: it was told for what goes on here.</summary>
    public bool Told(KinTold input) => _absorption?.Told(input) == true;

    /// <summary>Goes on, or begins when there is something to be folded.</summary>
    public void Advance()
    {
        _removal?.Advance();
        _absorption?.Resume();
        if (_isBusy || !_mayFind || state.IsEnded || state.Record.Intent is not null || state.Now.MonotonicMs < _againMs || !HasLooked(out var chain))
            return;
        foreach (var number in chain)
        {
            if (!_stack[number].HasFolded)
                continue;
            if (MayBegin())
                Load(number, RemoveFolded);
            return;
        }

        for (var i = 0; i + 1 < chain.Count; i++)
        {
            if (!IsWorthFolding(chain[i], chain[i + 1]))
                continue;
            if (MayBegin())
                Load(chain[i], over => Load(chain[i + 1], under => Begin(over, under)));
            return;
        }

        if (!TakeOver(chain))
            (_mayFind, IsAtWork) = (false, false);
    }

    // True: something is begun, or will be.
    private bool TakeOver(List<uint> chain)
    {
        if (_absorbed is null && IsAbsorbing)
        {
            Load(LayerId.AbsorbedNumber, Absorbed);
            return true;
        }

        var own = state.Layer.Counts.Stored + (_absorbed?.Counts.Stored ?? 0) + chain.Aggregate(0ul, (sum, number) => sum + _stack[number].Pages);
        // An owner before may have left an ancestor without having said so.
        var isLeft = _absorbed?.Left is not null;
        var next = _absorbed?.Left ?? ((_absorbed?.Below ?? state.Layer.Below).Bases is [var first, ..] ? first.Layer : default);
        if (next == default || (!isLeft && (!_offers.TryGetValue(next, out var wanted) || own < wanted)))
            return false;
        if (MayBegin())
            Absorb(next, own, isLeft);
        return true;
    }

    private void Absorbed(LayerSummary now) => (_isBusy, _absorbed) = (false, now);

    private void Absorb(LayerId layer, ulong own, bool isLeft)
    {
        _isBusy = true;
        _absorption = new(state, queue, layer, Math.Max(SmallPages, 2 * own), NextStamp(), end =>
        {
            Pause();
            if (end == FoldEnd.Whole)
                _againMs = 0;
            _absorbed = null;
            // Of what is too large, more than now must be its own before it is looked at again.
            if (end == FoldEnd.Unfit)
                _offers[layer] = Math.Max(1, 2 * own);
            else if (end == FoldEnd.Whole)
                _offers.Remove(layer);
            _absorption = null;
            _stack.Clear();
        });
        if (isLeft)
            _absorption.Leave(_absorbed!);
        else
            _absorption.Begin();
    }

    private bool IsAbsorbing => IsAbsorbingNow(state);

    private static bool IsAbsorbingNow(MachineState state) => state.Layer.Below.Bases.Any(item => item.Layer.IsAbsorbed && item.Layer.Home == state.Layer.Id.Home);

    private bool IsWorthFolding(uint over, uint under) =>
        !state.Record.Users.ContainsKey(under) && !_leftAlone.Contains(under)
        && _stack[under].Pages is var pages && pages <= LargePages && pages <= Math.Max(SmallPages, 2 * _stack[over].Pages);

    // False: the list is being written.
    private bool MayBegin() => IsAtWork = queue.TryNote();

    // False: a head is on its way.
    private bool HasLooked(out List<uint> chain)
    {
        chain = [];
        for (var number = state.Layer.Below.Under; number != 0; number = _stack[number].Under)
        {
            if (!_stack.ContainsKey(number))
            {
                Load(number, Note);
                return false;
            }

            chain.Add(number);
        }

        return true;
    }

    private void Note(LayerSummary layer)
    {
        _stack[layer.Id.Number] = (layer.Below.Under, layer.Counts.Stored, layer.Folded.Count > 0);
        _isBusy = false;
    }

    private void Load(uint number, Action<LayerSummary> then)
    {
        _isBusy = true;
        var id = new LayerId(state.Layer.Id.Home, number);
        state.Effects.Add(new LoadFields(id, LayerSummary.Names)
        {
            Then = (found, outcome) =>
            {
                if (outcome.IsOk && found is not null)
                {
                    then(LayerSummary.Decode(id, found));
                    return;
                }

                // Gone: what named it has been looked at too long ago.
                if (outcome.IsOk)
                    _stack.Clear();
                Pause();
            },
        });
    }

    private void Begin(LayerSummary over, LayerSummary under)
    {
        if (state.Record.State == VmoState.Dying)
            _isBusy = false;
        else
            Fold(over, under);
    }

    private void Fold(LayerSummary over, LayerSummary under) => new Fold(state, queue, over, under, (now, end) =>
    {
        if (end != FoldEnd.Whole)
        {
            if (end == FoldEnd.Unfit)
                _leftAlone.Add(under.Id.Number);
            // What it had come to is looked at anew.
            _stack.Remove(now.Id.Number);
            Pause();
            return;
        }

        // What is in memory of the lower layer is true for ever, but its blobs go now: nobody here is to be shown them again.
        state.Sight.Forget(GoneBlob.AllOf(under.Id));
        _stack.Remove(under.Id.Number);
        RemoveFolded(now);
    }).Begin();

    private void RemoveFolded(LayerSummary holder)
    {
        Note(holder);
        if (holder.Folded is not [var folded, ..])
            return;
        _isBusy = true;
        var rest = holder.Folded.Where(number => number != folded).ToArray();
        _removal = new(state, new(holder.Id.Home, folded), _ => (holder.Id, new(FieldNames.Folded, LayerHead.EncodeNumbers(rest))), _ =>
        {
            _removal = null;
            RemoveFolded(holder with { Folded = rest });
        });
        _removal.Advance();
    }

    private void Pause() => (_isBusy, _againMs) = (false, state.Now.MonotonicMs + RetryMs);
}
