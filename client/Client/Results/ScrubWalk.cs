using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>
/// A scrub as it goes: its findings, asked for as they are consumed, and beside them what has been looked at so far. Each enumeration walks
/// anew; enumerate it by one at a time.
/// </summary>
public sealed class ScrubWalk : IAsyncEnumerable<ScrubFinding>
{
    private readonly CallLoop _calls;
    private readonly Koid _family;
    private readonly bool _bytes;

    internal ScrubWalk(CallLoop calls, Koid family, bool bytes) => (_calls, _family, _bytes) = (calls, family, bytes);

    /// <summary>Records, layers and blobs looked at so far; complete when the enumeration has ended.</summary>
    public long Checked { get; private set; }

    /// <summary>Findings told so far.</summary>
    public long Findings { get; private set; }

    /// <inheritdoc/>
    public async IAsyncEnumerator<ScrubFinding> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        (Checked, Findings) = (0, 0);
        for (var after = Koid.None; ;)
        {
            var from = after;
            var reply = await _calls.RunAsync(
                CallKind.Scrub, _family, default, _calls.Options.Caller, _calls.Options.Deadline, _calls.Options.AttemptTimeout,
                (head, stop) => _calls.Transport.ScrubAsync(new() { Caller = head.Caller, Family = _family, After = from, Bytes = _bytes }, stop),
                static reply => reply.Outcome,
                cancellationToken).ConfigureAwait(false);
            reply.Outcome.ThrowIfFailed();
            Checked += reply.Checked;
            foreach (var finding in reply.Findings)
            {
                Findings++;
                yield return finding;
            }

            if (!reply.More)
                yield break;

            // A walk that is cut short must not look like a clean one.
            if (reply.After <= from)
                throw new VmoException(VmoStatus.Internal, $"the scrub does not move on from koid {from}");
            after = reply.After;
        }
    }
}
