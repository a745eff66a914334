using VmoCluster.Core.Contents;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>A LOOKUP or PREFETCH waiting for the leaves of its range.</summary>
internal sealed class PendingLookup(MachineState state, Loads loads, OpRangeCall call, Action<VmoReply> answer) : ILoadWaiter
{
    /// <summary>Pages one PREFETCH brings into memory.</summary>
    private const int PrefetchPagesMax = Limits.ExtentPages;

    /// <summary>Bytes of one LOOKUP through what lies below.</summary>
    private const ulong ThroughBytesMax = 16ul * Limits.ExtentPages * Limits.PageBytes;

    private Outcome _failure;
    private bool _isFetching;

    public int LoadsPending { get; set; }

    public void PageArrived(in PageKey key, byte[]? page)
    {
    }

    public void LoadFailed(Outcome outcome) => _failure = outcome;

    public void End(Outcome outcome) => answer(new() { Outcome = outcome });

    public void Resume()
    {
        var outcome = _failure;
        var range = call.Range;
        if (outcome.IsOk)
            outcome = Check(ref range);
        if (!outcome.IsOk)
        {
            answer(new() { Outcome = outcome });
            return;
        }

        // Through what lies below every page is looked at: a part at a time, and the caller asks on.
        var part = range;
        if (state.Sight.HasBelow || call.Op == VmoOp.Prefetch)
            part = range with { Length = Math.Min(range.Length, ThroughBytesMax - (range.Offset % Limits.PageBytes)) };
        var pages = PageRange.Covering(part);
        if (!loads.NeedLeaves(pages, this) && !loads.NeedBelow(pages, BelowNeed.Read, this))
            Finish(part, part.Length < range.Length ? part.End : 0);
    }

    private Outcome Check(ref ByteRange range)
    {
        var outcome = Authority.Check(state.Record.Handles, call.Head.Secret, VmoRights.Read, state.Now, out var handle);
        if (!outcome.IsOk)
            return outcome;
        if (call.Op == VmoOp.Prefetch)
            return Authority.CheckRange(handle!, range, state.Layer.Size, "prefetch");
        outcome = Authority.CutRange(handle!, call.Op, ref range, state.Layer.Size);
        return outcome;
    }

    private void Finish(ByteRange range, ulong rest)
    {
        if (call.Op == VmoOp.Lookup)
        {
            var (runs, next) = state.Sight.HasBelow ? Lookup.FindThrough(state.Sight, state.Record.Meta.Parent.IsNone ? state.Record.Meta.Koid : state.Record.Meta.Parent, range) : Lookup.Find(state.Layer, state.Record.Meta.Koid, range);
            answer(new() { Runs = runs, Number = next != 0 ? next : rest, Version = state.Layer.Seq });
            return;
        }

        if (!_isFetching && Fetch(PageRange.Covering(range)))
            return;
        answer(new() { Version = state.Layer.Seq });
    }

    private bool Fetch(PageRange range)
    {
        _isFetching = true;
        var pages = new List<(PageKey, uint)>();
        for (var page = range.First.Value; page < range.End.Value && pages.Count < PrefetchPagesMax; page++)
        {
            var shown = state.Sight.See(page);
            if (shown.IsStored && !state.Cache.TryGet(shown.Key, out _))
                pages.Add((shown.Key, shown.Slot.Checksum));
        }

        if (pages.Count == 0)
            return false;
        loads.NeedPages(pages, this);
        return true;
    }
}
