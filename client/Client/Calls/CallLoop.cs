using System.Globalization;
using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>
/// Makes one call of several attempts, all under one request id, until one is answered for good or the deadline passes. Io and ShouldWait
/// are tried again after a rest, attempts without an answer at once, both as far as the budget of repeats goes. When the deadline passes, the last refusal is what the caller gets;
/// after an attempt without an answer it is TimedOut, and the message says whether the call may have taken effect.
/// </summary>
internal sealed class CallLoop(ITransport transport, VmoClientOptions options)
{
    public ITransport Transport { get; } = transport;
    public VmoClientOptions Options { get; } = options;
    public TimeProvider Time { get; } = options.TimeProvider;
    public RequestSequence Requests { get; } = new(options.TimeProvider);
    public AttemptTimer Timer { get; } = new(options.TimeProvider);
    public BackOff BackOff { get; } = new(options.Chance);
    public RetryBudget Retries { get; } = new(options.TimeProvider);
    public volatile bool IsStopped;

    /// <summary>One attempt: the head it must carry, and when to stop.</summary>
    internal delegate ValueTask<TReply> Attempt<TReply>(CallHead head, CancellationToken cancellation);

    /// <summary>Tries until the deadline. Returns the last answer, refused or not, and throws only when there was none.</summary>
    public async Task<TReply> RunAsync<TReply>(
        CallKind kind, Koid koid, HandleSecret secret, Caller caller, TimeSpan deadline, TimeSpan attemptTimeout,
        Attempt<TReply> attempt, Func<TReply, Outcome> outcomeOf, CancellationToken cancellation)
    {
        var ticket = kind.Changes ? Requests.Open() : null;
        var span = ClientTelemetry.Start(kind, koid);
        var started = Time.GetTimestamp();
        var status = VmoStatus.Canceled;
        try
        {
            var reply = await TryAsync(kind, ticket?.Id ?? RequestId.None, secret, caller, deadline, attemptTimeout, attempt, outcomeOf, cancellation).ConfigureAwait(false);
            status = outcomeOf(reply).Status;
            return reply;
        }
        catch (VmoException refused)
        {
            status = refused.Status;
            throw;
        }
        finally
        {
            if (ticket is not null)
                Requests.Close(ticket);
            ClientTelemetry.Called(kind, Time.GetElapsedTime(started), status);
            ClientTelemetry.End(span, status);
        }
    }

    /// <summary>The loop itself, under an id that the caller keeps open: pieces of one call share theirs.</summary>
    public async Task<TReply> TryAsync<TReply>(
        CallKind kind, RequestId request, HandleSecret secret, Caller caller, TimeSpan deadline, TimeSpan attemptTimeout,
        Attempt<TReply> attempt, Func<TReply, Outcome> outcomeOf, CancellationToken cancellation)
    {
        var started = Time.GetTimestamp();
        var mayHaveHappened = false;
        for (var tries = 0; ; tries++)
        {
            cancellation.ThrowIfCancellationRequested();
            ThrowIfStopped();
            var left = deadline - Time.GetElapsedTime(started);
            var head = new CallHead(secret, request, Requests.AckedBelow, Milliseconds(left), caller);
            Retries.Sent();
            var (isAnswered, reply) = await AttemptAsync(attempt, head, left < attemptTimeout ? left : attemptTimeout, cancellation).ConfigureAwait(false);
            ThrowIfStopped();
            var outcome = isAnswered ? outcomeOf(reply!) : new Outcome(VmoStatus.TimedOut, "no answer");
            if (isAnswered && !outcome.Status.IsRetryable())
            {
                if (tries > 0 && outcome.IsOk)
                    Retries.Helped();
                return reply!;
            }

            // A call that was told to wait did nothing; of any other that failed nobody knows.
            mayHaveHappened |= outcome.Status != VmoStatus.ShouldWait;
            var rest = isAnswered ? BackOff.Of(tries, outcome.RetryAfterMs) : TimeSpan.Zero;
            do
            {
                if (GivesUp(Time.GetElapsedTime(started) + rest, deadline))
                    throw Expired(kind, outcome, tries + 1, Time.GetElapsedTime(started), mayHaveHappened);
                if (rest > TimeSpan.Zero)
                    await Task.Delay(rest, Time, cancellation).ConfigureAwait(false);
                rest = BackOff.Withheld(outcome.RetryAfterMs);
            }
            while (!Retries.TryTake());
            ClientTelemetry.Retried(kind, outcome.Status);
        }
    }

    /// <summary>Whether a call that would have taken so long by its next attempt is over.</summary>
    public bool GivesUp(TimeSpan elapsed, TimeSpan deadline) =>
        elapsed >= deadline || (elapsed >= Options.ConnectTimeout && !Transport.HasAnswered);

    /// <summary>What a caller is told whose deadline has passed.</summary>
    public static VmoException Expired(CallKind kind, Outcome last, int tries, TimeSpan took, bool mayHaveHappened)
    {
        var effect = !kind.Changes ? "" : mayHaveHappened ? "; it may have taken effect" : "; it has not taken effect";
        var message = string.Create(
            CultureInfo.InvariantCulture,
            $"{kind.Name} gave up after {tries} attempts in {took.TotalSeconds:0.0} s{effect}; last: {last.Message ?? last.Status.ToZxName()}");
        return new VmoException(last.Status, message, last.RetryAfterMs > 0 ? TimeSpan.FromMilliseconds(last.RetryAfterMs) : null);
    }

    public void ThrowIfStopped() => ObjectDisposedException.ThrowIf(IsStopped, typeof(VmoClient));

    public static int Milliseconds(TimeSpan left) => (int)Math.Clamp(Math.Ceiling(left.TotalMilliseconds), 1, Limits.DeadlineMaxMs);

    private async ValueTask<(bool IsAnswered, TReply? Reply)> AttemptAsync<TReply>(
        Attempt<TReply> attempt, CallHead head, TimeSpan timeout, CancellationToken cancellation)
    {
        var source = Timer.Start(timeout > TimeSpan.Zero ? timeout : TimeSpan.FromMilliseconds(1));
        var registration = cancellation.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), source);
        try
        {
            return (true, await attempt(head, source.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return (false, default);
        }
        finally
        {
            await registration.DisposeAsync().ConfigureAwait(false);
            Timer.Return(source);
        }
    }
}
