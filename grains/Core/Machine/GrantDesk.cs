using VmoCluster.Core.Contents;
using VmoCluster.Core.Family;
using VmoCluster.Core.Live;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// Grants extents of this VMO to silos whose live clones look through it, and recalls them before it changes what they show. A silo's session
/// is in the record before its first grant, so that a later owner knows whom to ask. While a change of an extent waits for its recall, or
/// flies, the extent is not granted. Where the VMO says nothing, a stretch of extents is granted at once, as long as it is not changed under those who hold it.
/// </summary>
internal sealed class GrantDesk(MachineState state, Loads loads, ChangeQueue queue)
{
    private const int WaitingMax = 4096;
    private const int GoneMax = 1024;

    /// <summary>Areas whose holders are known one by one; beyond, all of them may hold anything, and the next change asks back everything.</summary>
    private const int AreasMax = 4096;

    /// <summary>A change that had to ask something back ends all views of what it asked back; so for so long no stretch is granted in which it was made.</summary>
    private const int CalmMs = 60_000;

    /// <summary>Changes of which that is remembered one by one; beyond, no stretch is granted.</summary>
    private const int StirredMax = 64;

    /// <summary>Fields of a layer up to which all of its leaves are loaded to know where there are none.</summary>
    private const int FewFields = 512;

    /// <summary>Sessions in the record up to which nobody asks whether they live.</summary>
    private const int HoldersMin = 8;

    private readonly Dictionary<GrantArea, HashSet<ulong>> _holders = [];
    private readonly List<PendingGrant> _waiting = [];
    private readonly HashSet<GoneBlob> _gone = [];

    // Areas that a change asked back: not granted again before that change has had its turn.
    private readonly HashSet<GrantArea> _closing = [];

    // Areas that are being asked back, unless it is all.
    private readonly HashSet<GrantArea> _recalling = [];

    // Where changes asked something back of late, the oldest first.
    private readonly Queue<(long UntilMs, PageRange Pages)> _stirred = [];

    // Sessions that may hold anything, from before this owner.
    private readonly HashSet<ulong> _unknown = [.. state.Record.Holders];
    private Recall? _recall;
    private bool _isRegistering;
    private FindDead? _find;

    // Until then no change asks the whole VMO back. One batch of changes at least goes between two such times.
    private long _heldUntilMs;
    private (Koid Asker, ulong Stamp) _heldFor;
    private bool _mayHold = true;

    /// <summary>Whether any silo may hold anything.</summary>
    public bool HasHolders => _holders.Count > 0 || _unknown.Count > 0;

    public void Ask(Ticket ticket, GrantCall call)
    {
        foreach (var told in call.Gone)
        {
            // Once: what is loaded from now on cannot name it any more.
            var gone = GrantCodec.GoneOf(told);
            if (_gone.Add(gone))
                state.Sight.ForgetTold(gone);
        }

        if (_gone.Count > GoneMax)
            _gone.Clear();
        if (_waiting.Count >= WaitingMax)
            Refuse(ticket, new(VmoStatus.ShouldWait, $"{WaitingMax} grants are waited for, the most", 50));
        else
            _waiting.Add(new(this, ticket, call));
    }

    /// <summary>A silo asks for a pin and the whole VMO.</summary>
    public void Pin(Ticket ticket, PinCall call)
    {
        LookForDead(call.Session);
        queue.Enqueue(new PinChange(call, ticket, state.Now) { IsInternal = true, Done = Pinned }, _ => { });
    }

    /// <summary>When a change that was held back may be made.</summary>
    public long HeldUntilMs => _heldUntilMs > state.Now.MonotonicMs ? _heldUntilMs : long.MaxValue;

    /// <summary>What the whole VMO was granted for is done: no change need be held back for it.</summary>
    public void Unhold(Unpin unpin)
    {
        if (_heldFor == (unpin.Asker, unpin.Stamp))
            _heldUntilMs = 0;
    }

    /// <summary>Serves those who wait, as far as they can be.</summary>
    public void Pump()
    {
        if (_waiting.Count == 0 || state.IsEnded)
            return;
        foreach (var pending in _waiting.ToArray())
        {
            if (pending.LoadsPending == 0)
                pending.Resume();
        }
    }

    /// <summary>Whether a change of these pages may be made now. False: what shows them elsewhere is being recalled.</summary>
    public bool MayChange(PageRange pages)
    {
        if (pages.IsEmpty || !HasHolders)
            return true;
        if (_heldUntilMs > state.Now.MonotonicMs && _holders.ContainsKey(GrantArea.Whole))
            return false;
        var areas = _holders.Keys.Where(area => area.Overlaps(pages)).ToList();
        if (areas.Count == 0 && _unknown.Count == 0)
            return true;
        _closing.UnionWith(areas);
        if (_recall is not null)
            return false;
        if (_unknown.Count > 0 || areas.Exists(area => !area.IsWhole))
            Stir(pages);
        _recalling.UnionWith(areas);
        _recall = _unknown.Count > 0
            ? new([.. _unknown.Concat(_holders.Values.SelectMany(sessions => sessions)).Distinct()], null)
            : new([.. areas.SelectMany(area => _holders[area]).Distinct()], areas);
        state.Effects.Add(_recall);
        return false;
    }

    public void Recalled(RecallDone input)
    {
        if (!ReferenceEquals(input.Recall, _recall))
            return;
        _recall = null;
        _recalling.Clear();
        // Not all could be asked: asked again by the change that still waits.
        if (!input.Outcome.IsOk)
            return;
        if (input.Recall.Areas is null)
        {
            _unknown.Clear();
            _holders.Clear();
            return;
        }

        foreach (var area in input.Recall.Areas)
            _holders.Remove(area);
    }

    /// <summary>A batch of changes has come to its end: what it asked back may be granted again.</summary>
    public void Reopen()
    {
        _closing.Clear();
        _mayHold = true;
    }

    public void EndAll(Outcome outcome)
    {
        foreach (var pending in _waiting)
            Refuse(pending.Ticket, outcome);
        _waiting.Clear();
    }

    // The pin is durable, and nothing is in flight: what is granted is what was frozen. A change that waits behind has not been begun.
    private void Pinned(PinChange change, Outcome outcome)
    {
        var reply = outcome.IsOk ? change.Reply! : new PinReply { Outcome = outcome };
        if (outcome.IsOk && (queue.IsFlying || _recall is not null))
        {
            reply = reply with { IsTorn = true };
        }
        else if (outcome.IsOk)
        {
            Note(GrantArea.Whole, change.Call.Session);
            if (change.Call.IsHeld && _mayHold)
                (_heldUntilMs, _heldFor, _mayHold) = (state.Now.MonotonicMs + Limits.MomentHoldMs, (change.Call.Asker, change.Call.Stamp), false);
        }

        state.Effects.Add(new Answer(change.Ticket, reply, FromMemory: true));
    }

    private void Refuse(Ticket ticket, Outcome outcome) => state.Effects.Add(new Answer(ticket, new GrantReply { Outcome = outcome }, FromMemory: false));

    private bool IsClosed(GrantArea area) =>
        IsIn(_closing, area) || queue.IsChanging(area.Pages) || (_recall is { } recall && (recall.Areas is null || IsIn(_recalling, area)));

    // What is granted as a whole shows nothing, so it stands in nobody's way. One that overlaps an extent is one of those around it.
    private static bool IsIn(HashSet<GrantArea> areas, GrantArea area)
    {
        if (areas.Count == 0 || area.Order > 0)
            return areas.Any(other => !other.IsWhole && other.Overlaps(area.Pages));
        for (var order = 0; order <= GrantArea.OrderMax; order++)
        {
            if (areas.Contains(GrantArea.Around(area.Value, order)))
                return true;
        }

        return false;
    }

    private void Stir(PageRange pages)
    {
        while (_stirred.TryPeek(out var oldest) && oldest.UntilMs <= state.Now.MonotonicMs)
            _stirred.Dequeue();
        if (_stirred.Count >= StirredMax)
        {
            _stirred.Clear();
            pages = GrantArea.Whole.Pages;
        }

        _stirred.Enqueue((state.Now.MonotonicMs + CalmMs, pages));
    }

    private bool IsCalm(GrantArea area) => !_stirred.Any(one => one.UntilMs > state.Now.MonotonicMs && area.Overlaps(one.Pages));

    // False: the session's commit is on its way.
    private bool IsRegistered(ulong session)
    {
        if (state.Record.Holders.Contains(session))
            return true;
        if (!_isRegistering)
        {
            _isRegistering = true;
            LookForDead(session);
            queue.Enqueue(new HolderChange(session, [], state.Now) { IsInternal = true, Done = () => _isRegistering = false }, _ => { });
        }

        return false;
    }

    // Silos come and go, and each has a new session: when one is added to many, those that have died since are looked for. So there are never
    // many more in the record than silos alive.
    private void LookForDead(ulong added)
    {
        if (_find is not null || state.Record.Holders.Count < HoldersMin || state.Record.Holders.Contains(added))
            return;
        _find = new([.. state.Record.Holders]);
        state.Effects.Add(_find);
    }

    /// <summary>Which sessions are dead. That is final, so they hold nothing now or later.</summary>
    public void Found(DeadFound input)
    {
        if (!ReferenceEquals(input.Find, _find))
            return;
        _find = null;
        if (input.Dead.Count == 0)
            return;
        _unknown.ExceptWith(input.Dead);
        foreach (var (area, sessions) in _holders.ToArray())
        {
            sessions.ExceptWith(input.Dead);
            if (sessions.Count == 0)
                _holders.Remove(area);
        }

        queue.Enqueue(new HolderChange(0, input.Dead, state.Now) { IsInternal = true, Done = () => { } }, _ => { });
    }

    private void Note(GrantArea area, ulong session)
    {
        if (!_holders.TryGetValue(area, out var sessions))
        {
            if (_holders.Count >= AreasMax)
            {
                _unknown.UnionWith(_holders.Values.SelectMany(held => held));
                _holders.Clear();
            }

            _holders.Add(area, sessions = []);
        }

        sessions.Add(session);
    }

    private sealed class PendingGrant(GrantDesk desk, Ticket ticket, GrantCall call) : ILoadWaiter
    {
        private Outcome _failure;

        // Whether more than the extent is being loaded, so as to grant more; and whether that has failed.
        private bool _isMore;
        private bool _isNoMore;

        public Ticket Ticket => ticket;

        public int LoadsPending { get; set; }

        public void PageArrived(in PageKey key, byte[]? page)
        {
        }

        public void LoadFailed(Outcome outcome)
        {
            if (_isMore)
                _isNoMore = true;
            else
                _failure = outcome;
        }

        public void Resume()
        {
            if (!_failure.IsOk)
            {
                desk._waiting.Remove(this);
                desk.Refuse(ticket, _failure);
                return;
            }

            var extent = GrantArea.Of(call.Extent);
            if (desk.IsClosed(extent) || !desk.IsRegistered(call.Session))
                return;
            _isMore = false;
            if (desk.NeedLeaves(extent.Pages, this) || desk.NeedBelow(extent.Pages, this))
                return;
            _isMore = !_isNoMore && call.OrderMost > 0 && desk.SaysNothing(extent) && desk.IsCalm(GrantArea.Around(call.Extent, 1));
            if (_isMore && desk.NeedAllOfFew(this))
                return;
            desk._waiting.Remove(this);
            desk.Give(ticket, call);
        }
    }

    private bool NeedLeaves(PageRange pages, ILoadWaiter waiter) => loads.NeedLeaves(pages, waiter);

    private bool NeedAllOfFew(ILoadWaiter waiter) => loads.NeedAllOfFew(FewFields, waiter);

    private bool NeedBelow(PageRange pages, ILoadWaiter waiter) => loads.NeedBelow(pages, BelowNeed.OwnStack, waiter);

    private void Give(Ticket ticket, GrantCall call)
    {
        var size = state.Layer.Size / Limits.PageBytes;
        var first = call.Extent * Limits.ExtentPages;
        var builder = new FrozenExtent.Builder();
        for (var i = 0; i < Limits.ExtentPages && first + (ulong)i < size; i++)
            builder.Set(i, state.Sight.SeeOwnStack(first + (ulong)i));
        var order = OrderFor(call);
        Note(GrantArea.Around(call.Extent, order), call.Session);
        var isLive = state.Record.Meta.Kind == VmoKind.Live;
        state.Effects.Add(new Answer(ticket, new GrantReply
        {
            Shown = GrantCodec.Encode(builder.Build()),
            Size = size,
            Parent = isLive ? state.Record.Meta.ShownVmo : Koid.None,
            ParentOffset = isLive ? state.Record.Meta.ShownOffset / Limits.PageBytes : 0,
            ParentEnd = state.Record.Meta.ShownEndPage,
            Lineage = state.Record.Lineage.Encode(),
            Order = order,
        }, FromMemory: true));
    }

    // The largest stretch around the extent, as far as the VMO reaches, in which the VMO's own layers say nothing and nothing is about to change.
    private int OrderFor(GrantCall call)
    {
        var order = 0;
        for (var area = GrantArea.Of(call.Extent); order < Math.Min(call.OrderMost, GrantArea.OrderMax) && !IsAllOf(area); order++)
        {
            area = GrantArea.Around(call.Extent, order + 1);
            if (!IsCalm(area) || !SaysNothing(area) || IsClosed(area))
                break;
        }

        return order;
    }

    private bool IsAllOf(GrantArea area) => area.Pages is var pages && pages.First.Value == 0 && pages.Count >= state.Layer.Size / Limits.PageBytes;

    private bool SaysNothing(GrantArea area) =>
        (area.Pages.First.Value >= state.Layer.Low || (state.Layer.Below.Under == 0 && (state.Sight.IsLive || state.Layer.Below.Bases.Count == 0)))
        && state.Layer.Map.IsBlank(area.Pages) && !state.Layer.Map.Runs.Any(run => !run.IsClearing && run.Range.Overlaps(area.Pages));
}
