using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>Waits through one handle: calls that stay at the VMO for a while each, until a signal is seen or the time is over.</summary>
internal sealed class Waiter(CallLoop calls, VmoHandle handle, Caller caller, TimeSpan deadline)
{
    // Below the transports' own time-outs of 5 s, so that a silo that died under a wait is told from a quiet VMO.
    private static readonly TimeSpan PollMost = TimeSpan.FromMilliseconds(Limits.WaitPollMs - 1000);

    public async Task<WaitResult> WaitAsync(VmoSignals mask, TimeSpan timeout, CancellationToken cancellation)
    {
        if (timeout < TimeSpan.Zero && timeout != Timeout.InfiniteTimeSpan)
            throw new VmoException(VmoStatus.InvalidArgs, $"a wait of {timeout.TotalMilliseconds} ms");
        for (var started = calls.Time.GetTimestamp(); ;)
        {
            var left = timeout == Timeout.InfiniteTimeSpan ? PollMost : timeout - calls.Time.GetElapsedTime(started);
            var poll = left > PollMost ? PollMost : left < TimeSpan.Zero ? TimeSpan.Zero : left;
            var reply = await PollAsync(mask, poll, cancellation).ConfigureAwait(false);
            if (reply.Outcome.Status != VmoStatus.TimedOut)
            {
                reply.Outcome.ThrowIfFailed();
                return new(false, reply.Signals);
            }

            if (timeout != Timeout.InfiniteTimeSpan && calls.Time.GetElapsedTime(started) >= timeout)
                return new(true, reply.Signals);
        }
    }

    // The time that a poll stays on purpose is no delay: it is added to the deadline and to the attempt's time.
    private Task<VmoReply> PollAsync(VmoSignals mask, TimeSpan poll, CancellationToken cancellation)
    {
        var pollMs = (int)Math.Ceiling(poll.TotalMilliseconds);
        var most = TimeSpan.FromMilliseconds(Limits.DeadlineMaxMs);
        return calls.RunAsync(
            CallKind.Wait, handle.Koid, handle.Secret, caller, deadline + poll < most ? deadline + poll : most, calls.Options.AttemptTimeout + poll,
            (head, stop) => calls.Transport.CallAsync(handle.Koid, new WaitCall(head, mask, pollMs), stop),
            static reply => reply.Outcome,
            cancellation);
    }
}
