namespace VmoCluster.Client;

/// <summary>One wait for several items: all are asked once, then all stay with their VMOs until the first comes back, then all are asked again.</summary>
internal sealed class ManyWaiter(CallLoop calls, IReadOnlyList<WaitItem> items, Caller caller)
{
    public async Task<WaitManyResult> WaitAsync(TimeSpan timeout, CancellationToken cancellation)
    {
        if (items.Count > Limits.WaitItemsMax)
            throw new VmoException(VmoStatus.OutOfRange, $"{items.Count} items to wait for, at most {Limits.WaitItemsMax}");
        if (timeout < TimeSpan.Zero && timeout != Timeout.InfiniteTimeSpan)
            throw new VmoException(VmoStatus.InvalidArgs, $"a wait of {timeout.TotalMilliseconds} ms");
        if (items.Count == 0)
        {
            await Task.Delay(timeout, calls.Time, cancellation).ConfigureAwait(false);
            return new(true, []);
        }

        var started = calls.Time.GetTimestamp();
        for (; ; )
        {
            var seen = await ObserveAsync(cancellation).ConfigureAwait(false);
            var left = timeout == Timeout.InfiniteTimeSpan ? timeout : timeout - calls.Time.GetElapsedTime(started);
            var isSatisfied = seen.Any(result => !result.IsTimedOut);
            if (isSatisfied || (timeout != Timeout.InfiniteTimeSpan && left <= TimeSpan.Zero))
                return new(!isSatisfied, [.. seen.Select(result => result.Observed)]);
            if (await FirstAsync(left, cancellation).ConfigureAwait(false) is not { } hit)
                continue;

            // The signal may be gone again by the time the others have been asked; it was seen nevertheless.
            seen = await ObserveAsync(cancellation).ConfigureAwait(false);
            seen[hit.Index] = hit.Result;
            return new(false, [.. seen.Select(result => result.Observed)]);
        }
    }

    private Task<WaitResult> WaitAsync(int item, TimeSpan timeout, CancellationToken cancellation) =>
        new Waiter(calls, items[item].Handle, caller, calls.Options.Deadline).WaitAsync(items[item].Mask, timeout, cancellation);

    // Asks all once; the refusal told is the first by order, whichever came first in time.
    private async Task<WaitResult[]> ObserveAsync(CancellationToken cancellation)
    {
        var asked = new Task<WaitResult>[items.Count];
        for (var i = 0; i < asked.Length; i++)
            asked[i] = WaitAsync(i, TimeSpan.Zero, cancellation);
        await ((Task)Task.WhenAll(asked)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var results = new WaitResult[asked.Length];
        for (var i = 0; i < asked.Length; i++)
            results[i] = await asked[i].ConfigureAwait(false);
        return results;
    }

    private async Task<(int Index, WaitResult Result)?> FirstAsync(TimeSpan timeout, CancellationToken cancellation)
    {
        using var others = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var waiting = new Task<WaitResult>[items.Count];
        for (var i = 0; i < waiting.Length; i++)
            waiting[i] = WaitAsync(i, timeout, others.Token);
        var first = await Task.WhenAny(waiting).ConfigureAwait(false);
        await others.CancelAsync().ConfigureAwait(false);

        // Nothing stays behind at any VMO when this wait returns.
        await ((Task)Task.WhenAll(waiting)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellation.ThrowIfCancellationRequested();
        var result = await first.ConfigureAwait(false);
        return result.IsTimedOut ? null : (Array.IndexOf(waiting, first), result);
    }
}
