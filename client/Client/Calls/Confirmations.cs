using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>
/// Tells the registry that new handles have arrived, behind the caller's back: an unconfirmed handle is closed after a minute, so that an
/// answer that never arrived leaks nothing. Closing the client waits for what is under way, for a bounded time.
/// </summary>
internal sealed class Confirmations(CallLoop calls)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMilliseconds(Limits.ConfirmWithinMs / 2);

    // The registry gives the time anew to a VMO that comes back after an outage: whoever still tries then is in time.
    private const int TriesMost = 20;

    private readonly Lock _gate = new();
    private readonly HashSet<Task> _running = [];

    public void Confirm(VmoHandle handle, Caller caller)
    {
        var running = RunAsync(handle, caller);
        if (running.IsCompleted)
            return;
        lock (_gate)
            _running.Add(running);
        running.ContinueWith(
            ended =>
            {
                lock (_gate)
                    _running.Remove(ended);
            },
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }

    /// <summary>Waits until all are through, at most so long.</summary>
    public async Task DrainAsync(TimeSpan most)
    {
        Task[] running;
        lock (_gate)
            running = [.. _running];
        try
        {
            await Task.WhenAll(running).WaitAsync(most, calls.Time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // The registry closes what it has not been told of; the holder was told that it waits no longer than this.
        }
    }

    private async Task RunAsync(VmoHandle handle, Caller caller)
    {
        for (var tries = 0; tries < TriesMost; tries++)
        {
            try
            {
                await calls.RunAsync(
                    CallKind.Confirm, handle.Koid, handle.Secret, caller, Deadline, calls.Options.AttemptTimeout,
                    (head, cancellation) => calls.Transport.CallAsync(handle.Koid, new ConfirmCall(head), cancellation),
                    static reply => reply.Outcome,
                    CancellationToken.None).ConfigureAwait(false);
                return;
            }
            catch (VmoException unheard) when (unheard.IsRetryable || unheard.Status == VmoStatus.TimedOut)
            {
                // Out of reach for half a minute.
            }
            catch (Exception refused) when (refused is VmoException or ObjectDisposedException)
            {
                // Closed meanwhile, or this client is.
                return;
            }
        }
    }
}
