using VmoCluster.Core.Contents;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>A LOOKUP or PREFETCH waiting for the leaves of its range.</summary>
internal sealed class PendingLookup(MachineState state, Loads loads, OpRangeCall call, Action<VmoReply> answer) : ILoadWaiter
{
    /// <summary>Pages one PREFETCH brings into memory.</summary>
    private const int PrefetchPagesMax = Limits.ExtentPages;

    private Outcome _failure;
    private bool _isFetching;

    public int LoadsPending { get; set; }

    public void PageArrived(in PageKey key, byte[]? page)
    {
    }

    public void LoadFailed(Outcome outcome) => _failure = outcome;

    public void Resume()
    {
        var outcome = _failure;
        var range = call.Range;
        if (outcome.IsOk)
            outcome = Check(ref range);
        if (!outcome.IsOk)
            answer(new() { Outcome = outcome });
        else if (!loads.NeedLeaves(PageRange.Covering(range), this))
            Finish(range);
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

    private void Finish(ByteRange range)
    {
        if (call.Op == VmoOp.Lookup)
        {
            var (runs, next) = Lookup.Find(state.Layer, state.Record.Meta.Koid, range);
            answer(new() { Runs = runs, Number = next, Version = state.Layer.Seq });
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
        foreach (var (number, leaf) in state.Layer.Map.LeavesIn(range))
        {
            for (var i = 0; i < Limits.LeafPages && pages.Count < PrefetchPagesMax; i++)
            {
                var key = new PageKey(state.Layer.Id, leaf[i].Blob, leaf[i].Index);
                if (leaf[i].IsStored && range.Contains(new((number * Limits.LeafPages) + (ulong)i)) && !state.Cache.TryGet(key, out _))
                    pages.Add((key, leaf[i].Checksum));
            }
        }

        if (pages.Count == 0)
            return false;
        loads.NeedPages(pages, this);
        return true;
    }
}
