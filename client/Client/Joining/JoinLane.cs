using System.Diagnostics;

namespace VmoCluster.Client;

/// <summary>
/// Joins the small concurrent calls of one kind through one handle into messages. The first goes at once; what arrives while as many
/// messages as allowed are in flight goes with the next, so messages grow with the load and a lone caller waits for nobody.
/// Each call keeps its own request id, deadline and cancellation; refused ones come back in a later message.
/// </summary>
internal abstract class JoinLane<TCall>(CallLoop calls, CallKind kind, Koid koid, TimeSpan deadline) : IThreadPoolWorkItem
    where TCall : JoinedCall
{
    private readonly Lock _gate = new();

    // Calls that wait for a message. Ended ones are skipped when a message is made.
    private readonly Queue<TCall> _queue = new();

    // Messages in flight, or about to be made.
    private int _sending;

    // Messages that were told to wait of late. Until the hints are over nothing is sent: it would be told the same, and what waits meanwhile
    // shares a message.
    private int _resting;

    // How long messages have taken of late from being sent to being answered Ok, in the clock's timestamps; 0: not known yet.
    private long _took;

    // All calls that have not ended, oldest first, and the timer that ends them at their deadlines. It is armed to _alarm at the latest
    // deadline known to be the earliest; calls that were answered leave it armed, since most deadlines are never reached.
    private JoinedCall? _first;
    private JoinedCall? _end;
    private ITimer? _timer;
    private long _alarm = long.MaxValue;

    private static readonly Outcome Unsent = new(VmoStatus.ShouldWait, "it waited in the client behind others and was not sent");

    protected CallLoop Calls { get; } = calls;

    public Task<ulong> RunAsync(TCall call, CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
            return Task.FromCanceled<ulong>(cancellation);
        Calls.ThrowIfStopped();
        call.Started = Calls.Time.GetTimestamp();
        call.Due = call.Started + (long)(deadline.TotalSeconds * Calls.Time.TimestampFrequency);
        call.Activity = Activity.Current;
        OnStart(call);

        // Before the call is listed: whatever ends it from here on finds its registration.
        if (cancellation.CanBeCanceled)
            call.Registration = cancellation.UnsafeRegister(static (state, token) => Cancel(state!, token), (this, call));
        TCall[]? batch = null;
        lock (_gate)
        {
            if (call.IsOver)
                return call.Task;
            List(call);
            ArmAt(call.Due);
            _queue.Enqueue(call);
            if (_resting == 0 && _sending < Calls.Options.JoinMessagesInFlight)
            {
                batch = TakeBatch();
                _sending += batch is null ? 0 : 1;
            }
        }

        if (batch is not null)
            _ = SendAsync(batch);
        return call.Task;
    }

    /// <summary>Sends these in one message, each under its own id.</summary>
    protected abstract ValueTask<(Outcome[]? Outcomes, byte[] Data, ulong Version)> ExchangeAsync(
        IReadOnlyList<TCall> batch, int deadlineMs, CancellationToken cancellation);

    /// <summary>A call begins.</summary>
    protected virtual void OnStart(TCall call)
    {
    }

    /// <summary>A call has ended: what it held is given back.</summary>
    protected virtual void OnEnd(TCall call)
    {
    }

    // The next message, made on a thread of the pool after those who were just answered have had their turn to ask again.
    void IThreadPoolWorkItem.Execute()
    {
        TCall[]? batch;
        lock (_gate)
        {
            batch = _resting == 0 ? TakeBatch() : null;
            if (batch is null)
                _sending--;
        }

        if (batch is not null)
            _ = SendAsync(batch);
    }

    private TCall[]? TakeBatch()
    {
        var now = Calls.Time.GetTimestamp();
        if (_queue.Count == 1 && _queue.Peek() is { } only)
        {
            _queue.Dequeue();
            return only.IsOver || IsTooLate(only, now) ? null : [only];
        }

        var (bytes, batch) = (0, new List<TCall>(Math.Min(_queue.Count, Limits.JoinCallsMax)));
        while (batch.Count < Limits.JoinCallsMax && _queue.TryPeek(out var call))
        {
            if (batch.Count > 0 && bytes + call.Length > Limits.JoinBytesMax)
                break;
            _queue.Dequeue();
            if (call.IsOver || IsTooLate(call, now))
                continue;
            bytes += call.Length;
            batch.Add(call);
        }

        return batch.Count == 0 ? null : [.. batch];
    }

    // It has waited here for most of its time, and its answer would likely come when its caller has gone: it makes room for those who still have
    // some, and ends at its deadline. A call that has just been made is always sent, however little time it was given.
    private bool IsTooLate(TCall call, long now) => now - call.Started > (call.Due - call.Started) / 2 && now + (2 * _took) > call.Due;

    private async Task SendAsync(TCall[] batch)
    {
        Activity.Current = batch[0].Activity;
        var span = ClientTelemetry.Start(kind, koid);
        if (span is not null && batch.Length > 1)
            Link(span, batch);
        foreach (var call in batch)
            call.IsSent = true;
        Calls.Retries.Sent();
        var (sent, source) = (Calls.Time.GetTimestamp(), Calls.Timer.Start(Calls.Options.AttemptTimeout));
        var status = VmoStatus.TimedOut;
        try
        {
            var (outcomes, data, version) = await ExchangeAsync(batch, LeftMs(batch), source.Token).ConfigureAwait(false);
            status = outcomes is null ? VmoStatus.Ok : outcomes[0].Status;
            if (status == VmoStatus.Ok)
                Took(Calls.Time.GetTimestamp() - sent, batch[0].Tries > 0);
            Answer(batch, outcomes, data, version);
        }
        catch (OperationCanceledException)
        {
            Again(batch, new Outcome(VmoStatus.TimedOut, "no answer"));
        }
        catch (Exception broken)
        {
            // A transport promises to throw nothing else. If one does, its callers must hear of it, not wait.
            foreach (var call in batch)
                End(call, VmoStatus.Internal, broken);
        }
        finally
        {
            Calls.Timer.Return(source);
            ClientTelemetry.End(span, status);
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private void Took(long time, bool isRepeat)
    {
        if (isRepeat)
            Calls.Retries.Helped();
        lock (_gate)
            _took = _took == 0 ? time : _took + ((time - _took) / 8);
    }

    private void Answer(TCall[] batch, Outcome[]? outcomes, byte[] data, ulong version)
    {
        var at = 0;
        List<TCall>? again = null;
        for (var i = 0; i < batch.Length; i++)
        {
            var (call, outcome) = (batch[i], outcomes?[i] ?? Outcome.Ok);
            if (outcome.IsOk)
            {
                // Only reads are answered with bytes, those that were refused without.
                var bytes = data.Length == 0 ? default : data.AsSpan(at, call.Length);
                at += bytes.Length;
                if (call.TryAnswer(bytes, version))
                    Ended(call, VmoStatus.Ok);
            }
            else if (outcome.Status.IsRetryable())
            {
                call.Last = outcome;
                (again ??= []).Add(call);
            }
            else
            {
                End(call, outcome.Status, outcome.ToException());
            }
        }

        if (again is not null)
            Again(again, null);
    }

    private void Again(IReadOnlyList<TCall> batch, Outcome? unanswered)
    {
        var (rest, hint) = (TimeSpan.Zero, 0);
        foreach (var call in batch)
        {
            call.Last = unanswered ?? call.Last;
            hint = Math.Max(hint, call.Last.RetryAfterMs);
            call.MayHaveHappened |= call.Last.Status != VmoStatus.ShouldWait;
            if (unanswered is null)
            {
                var own = Calls.BackOff.Of(call.Tries, call.Last.RetryAfterMs);
                rest = own > rest ? own : rest;
            }

            call.Tries++;
        }

        if (hint > 0)
            _ = RestAsync(hint);
        _ = ComeBackAsync(batch, rest);
    }

    // They come back together and so cost the budget of repeats one message.
    private async Task ComeBackAsync(IReadOnlyList<TCall> batch, TimeSpan rest)
    {
        do
        {
            EndThoseWithout(rest, batch);
            if (rest > TimeSpan.Zero)
                await Task.Delay(rest, Calls.Time).ConfigureAwait(false);
            if (batch.All(call => call.IsOver))
                return;
            rest = Calls.BackOff.Withheld(batch[0].Last.RetryAfterMs);
        }
        while (!Calls.Retries.TryTake());
        foreach (var call in batch)
        {
            if (!call.IsOver)
                ClientTelemetry.Retried(kind, call.Last.Status);
        }

        lock (_gate)
        {
            foreach (var call in batch)
            {
                if (!call.IsOver)
                    _queue.Enqueue(call);
            }
        }

        SendOn();
    }

    // Others rest as one that was refused for the first time; those that were refused again and again rest longer by themselves.
    private async Task RestAsync(int hint)
    {
        lock (_gate)
            _resting++;
        await Task.Delay(Calls.BackOff.Of(0, hint), Calls.Time).ConfigureAwait(false);
        lock (_gate)
            _resting--;
        SendOn();
    }

    private void SendOn()
    {
        lock (_gate)
        {
            if (_resting > 0 || _queue.Count == 0 || _sending >= Calls.Options.JoinMessagesInFlight)
                return;
            _sending++;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    // Those that would be over after so long a rest are over now.
    private void EndThoseWithout(TimeSpan rest, IReadOnlyList<TCall> batch)
    {
        var after = Calls.Time.GetTimestamp() + (long)(rest.TotalSeconds * Calls.Time.TimestampFrequency);
        foreach (var call in batch)
        {
            if (Calls.IsStopped)
                End(call, VmoStatus.Canceled, new ObjectDisposedException(nameof(VmoClient)));
            else if (after >= call.Due || Calls.GivesUp(Calls.Time.GetElapsedTime(call.Started, after), deadline))
                Expire(call);
        }
    }

    private void Expire(TCall call)
    {
        var last = call.Tries > 0 ? call.Last : call.IsSent ? new Outcome(VmoStatus.TimedOut, "no answer") : Unsent;
        var maybe = call.MayHaveHappened || (call.IsSent && call.Tries == 0);
        var took = Calls.Time.GetElapsedTime(call.Started);
        End(call, last.Status, CallLoop.Expired(kind, last, Math.Max(call.Tries, 1), took, maybe));
    }

    private void End(TCall call, VmoStatus status, Exception refusal)
    {
        if (!call.TryEnd())
            return;
        Ended(call, status);
        call.TrySetException(refusal);
    }

    private static void Cancel(object state, CancellationToken token)
    {
        var (lane, call) = ((JoinLane<TCall>, TCall))state;
        if (!call.TryEnd())
            return;
        lane.Ended(call, VmoStatus.Canceled);
        call.TrySetCanceled(token);
    }

    private void Ended(TCall call, VmoStatus status)
    {
        call.Registration.Unregister();
        lock (_gate)
            Unlist(call);
        OnEnd(call);
        ClientTelemetry.Called(kind, Calls.Time.GetElapsedTime(call.Started), status);
    }

    private int LeftMs(TCall[] batch)
    {
        var due = 0L;
        foreach (var call in batch)
            due = Math.Max(due, call.Due);
        return CallLoop.Milliseconds(Calls.Time.GetElapsedTime(Calls.Time.GetTimestamp(), due));
    }

    private static void Link(Activity span, TCall[] batch)
    {
        span.SetTag(ClientTelemetry.JoinedTag, batch.Length);
        foreach (var call in batch)
        {
            if (call.Activity is { } other && other != batch[0].Activity)
                span.AddLink(new(other.Context));
        }
    }

    private void List(JoinedCall call)
    {
        call.IsListed = true;
        call.Previous = _end;
        if (_end is null)
            _first = call;
        else
            _end.Next = call;
        _end = call;
    }

    private void Unlist(JoinedCall call)
    {
        if (!call.IsListed)
            return;
        call.IsListed = false;
        if (call.Previous is null)
            _first = call.Next;
        else
            call.Previous.Next = call.Next;
        if (call.Next is null)
            _end = call.Previous;
        else
            call.Next.Previous = call.Previous;
        call.Previous = call.Next = null;
    }

    private void ArmAt(long due)
    {
        if (due >= _alarm)
            return;
        _alarm = due;
        var wait = Calls.Time.GetElapsedTime(Calls.Time.GetTimestamp(), due);
        if (wait < TimeSpan.Zero)
            wait = TimeSpan.Zero;
        if (_timer is null)
            _timer = Calls.Time.CreateTimer(static lane => ((JoinLane<TCall>)lane!).EndOverdue(), this, wait, Timeout.InfiniteTimeSpan);
        else
            _timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    private void EndOverdue()
    {
        List<TCall>? overdue = null;
        lock (_gate)
        {
            // All have the lane's deadline, so the oldest is due first. Of two that were made at the same time the second may be listed first, and
            // is found with the next.
            var (now, call) = (Calls.Time.GetTimestamp(), _first);
            for (; call is not null && call.Due <= now; call = call.Next)
                (overdue ??= []).Add((TCall)call);
            _alarm = long.MaxValue;
            if (call is not null)
                ArmAt(call.Due);
        }

        foreach (var call in overdue ?? [])
            Expire(call);
    }
}
