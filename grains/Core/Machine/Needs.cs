using VmoCluster.Core.Contents;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>What a change of the layer must have in memory before it can be decided, and waiting for it.</summary>
internal sealed class Needs(MachineState state, Loads loads, Change change, Action resume) : ILoadWaiter
{
    public int LoadsPending
    {
        get => change.LoadsPending;
        set => change.LoadsPending = value;
    }

    /// <summary>True: everything is here. False: it is on its way.</summary>
    public bool AreMet()
    {
        var pages = Pages();
        if (pages.IsEmpty)
            return true;
        if (loads.NeedLeaves(pages, this))
            return false;
        if (pages.Count <= LayerBatch.EachPageMax && loads.NeedBelow(pages, BelowNeed.Change, this))
            return false;
        // Of a live parent only what is merged or copied matters: all else leaves a slot whatever it shows.
        var isWaiting = false;
        if (state.Sight.IsLive)
        {
            foreach (var page in Merged())
                isWaiting |= pages.Contains(new(page)) && loads.NeedBelow(new(new(page), 1), BelowNeed.Read, this);
        }

        if (isWaiting)
            return false;
        var missing = new List<(PageKey, uint)>();
        foreach (var page in Merged())
        {
            // What lies outside will be refused.
            if (pages.Contains(new(page)) && !NeedPage(page, missing))
                return AreMet();
        }

        if (missing.Count == 0)
            return true;
        loads.NeedPages(missing, this);
        return false;
    }

    public void PageArrived(in PageKey key, byte[]? page)
    {
        // A blob that has gone was replaced meanwhile; the change looks at its slots again when it is tried again.
        if (page is null && key.Layer != state.Layer.Id)
            state.Sight.Forget(new(key.Layer, key.Blob));
        if (page is not null)
            change.Held[key] = page;
        else if (!change.Missed.Add(key))
            change.LoadFailure = new(VmoStatus.DataLoss, $"a stored page of VMO {key.Layer.Home} (blob {key.Blob}, page {key.Index}) is missing");
    }

    public void LoadFailed(Outcome outcome) => change.LoadFailure = outcome;

    public void Resume() => resume();

    // False: a view was recalled this moment; all is asked anew.
    private bool NeedPage(ulong page, List<(PageKey, uint)> missing)
    {
        if (!state.Sight.TrySee(page, out var shown))
            return false;
        if (!shown.IsStored)
            return true;
        var key = shown.Key;
        if (change.Held.ContainsKey(key))
            return true;
        if (state.Cache.TryGet(key, out var bytes))
            change.Held[key] = bytes;
        else
            missing.Add((key, shown.Slot.Checksum));
        return true;
    }

    /// <summary>The pages that may show something else after a change: what others hold of them is recalled before.</summary>
    public static PageRange ShownBy(MachineState state, Change change)
    {
        if (change is not CallChange { Call: SetSizeCall set })
            return change.IsInternal ? new(new(0), 0) : PagesOf(state, change);
        var (old, size) = (state.Layer.Size / Limits.PageBytes, (set.Size / Limits.PageBytes) + 1);
        return old < size ? new(new(old), size - old) : new(new(size - 1), old - size + 1);
    }

    // Every page whose slot the change looks at.
    private PageRange Pages() => PagesOf(state, change);

    private static PageRange PagesOf(MachineState state, Change change) => change switch
    {
        WriteChange write => Inside(state, new(write.Offset, (ulong)write.Data.Length)),
        CallChange { Call: OpRangeCall op } => Inside(state, op.Range),
        CallChange { Call: SetSizeCall set } when set.Size < state.Layer.Size =>
            Inside(state, new(set.Size, state.Layer.Size - set.Size)),
        _ => new(new(0), 0),
    };

    // Pages of which only a part is written: at most the first and the last.
    private IEnumerable<ulong> Merged()
    {
        var range = change switch
        {
            WriteChange write => new ByteRange(write.Offset, (ulong)write.Data.Length),
            CallChange { Call: OpRangeCall { Op: VmoOp.Zero } zero } => zero.Range,
            _ => default,
        };
        // COMMIT copies what it inherits.
        if (change is CallChange { Call: OpRangeCall { Op: VmoOp.Commit } } && state.Sight.HasBelow && Pages() is { Count: <= LayerBatch.EachPageMax } committed)
        {
            for (var page = committed.First.Value; page < committed.End.Value; page++)
            {
                if (state.Sight.Own(page).State is SlotState.Absent or SlotState.Through)
                    yield return page;
            }

            yield break;
        }

        if (range.Length == 0 || range.Wraps)
            yield break;
        var pages = PageRange.Covering(range);
        if (range.Offset % Limits.PageBytes != 0 || range.Length < Limits.PageBytes)
            yield return pages.First.Value;
        if (range.End % Limits.PageBytes != 0 && pages.Count > 1)
            yield return pages.End.Value - 1;
    }

    private static PageRange Inside(MachineState state, ByteRange range)
    {
        var size = state.Layer.Size;
        return range.Wraps || range.Offset >= size ? new(new(0), 0) : PageRange.Covering(range with { Length = Math.Min(range.Length, size - range.Offset) });
    }
}
