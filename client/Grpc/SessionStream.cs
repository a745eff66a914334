using System.Collections.Concurrent;
using System.Threading.Channels;
using Grpc.Core;
using VmoCluster.Client;

namespace VmoCluster.GrpcDoor;

/// <summary>
/// A session: waits and signals of one client over one stream, each answered under the client's tag, in the order in which they end.
/// The stream's end cancels what is under way.
/// </summary>
internal sealed class SessionStream(DoorClient client, VmoDoorOptions options)
{
    public async ValueTask<bool> RunAsync(
        IAsyncStreamReader<V1.SessionRequest> requests, IServerStreamWriter<V1.SessionResponse> responses, Caller caller, CancellationToken cancellation)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var running = new ConcurrentDictionary<ulong, CancellationTokenSource>();

        // Bounded by the calls under way, each of which answers once, and by refusals, which wait here for the client to read.
        var answers = Channel.CreateBounded<V1.SessionResponse>(new BoundedChannelOptions(options.CallsPerSessionMax) { SingleReader = true });
        var tasks = new ConcurrentDictionary<Task, bool>();
        var sending = SendAsync(answers.Reader, responses, ending.Token);
        try
        {
            while (await requests.MoveNext(ending.Token))
            {
                var request = requests.Current;
                if (request.KindCase == V1.SessionRequest.KindOneofCase.Cancel)
                {
                    if (running.TryGetValue(request.Tag, out var one))
                        await one.CancelAsync();
                    continue;
                }

                var refusal = Admit(request, running);
                if (!refusal.IsOk)
                {
                    await answers.Writer.WriteAsync(new() { Tag = request.Tag, Outcome = WireResponses.Outcome(refusal) }, ending.Token);
                    continue;
                }

                var own = running[request.Tag] = CancellationTokenSource.CreateLinkedTokenSource(ending.Token);
                var task = AnswerAsync(request, own, running, answers.Writer, caller, ending.Token);
                tasks.TryAdd(task, true);
                _ = task.ContinueWith(ended => tasks.TryRemove(ended, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }

            // The client asks no more; what it has asked is answered unless it goes.
            await Task.WhenAll(tasks.Keys);
            answers.Writer.Complete();
            await sending;
            return true;
        }
        finally
        {
            await ending.CancelAsync();
            await Task.WhenAll(tasks.Keys);
            answers.Writer.TryComplete();
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task SendAsync(
        ChannelReader<V1.SessionResponse> answers, IServerStreamWriter<V1.SessionResponse> responses, CancellationToken cancellation)
    {
        await foreach (var answer in answers.ReadAllAsync(cancellation))
            await responses.WriteAsync(answer, cancellation);
    }

    private Outcome Admit(V1.SessionRequest request, ConcurrentDictionary<ulong, CancellationTokenSource> running)
    {
        if (request.KindCase == V1.SessionRequest.KindOneofCase.None)
            return new(VmoStatus.NotSupported, "a session's request of a kind unknown to this server");
        if (running.ContainsKey(request.Tag))
            return new(VmoStatus.AlreadyExists, $"a call under tag {request.Tag} is under way");
        return running.Count < options.CallsPerSessionMax
            ? Outcome.Ok
            : new(VmoStatus.ShouldWait, $"{running.Count} calls under way in this session, at most {options.CallsPerSessionMax}", 50);
    }

    private async Task AnswerAsync(
        V1.SessionRequest request, CancellationTokenSource own, ConcurrentDictionary<ulong, CancellationTokenSource> running,
        ChannelWriter<V1.SessionResponse> answers, Caller caller, CancellationToken session)
    {
        V1.SessionResponse answer;
        try
        {
            answer = await DoAsync(request, caller, own.Token);
        }
        catch (VmoException refused)
        {
            answer = new() { Outcome = WireResponses.Outcome(Outcome.Of(refused)) };
        }
        catch (OperationCanceledException)
        {
            answer = new() { Outcome = WireResponses.Outcome(new(VmoStatus.Canceled, "cancelled")) };
        }

        answer.Tag = request.Tag;

        // First the tag is free, then its answer goes: who has the answer may use the tag again.
        running.TryRemove(request.Tag, out _);
        own.Dispose();
        try
        {
            await answers.WriteAsync(answer, session);
        }
        catch (Exception gone) when (gone is OperationCanceledException or ChannelClosedException)
        {
            // The session is over; there is nobody to tell.
        }
    }

    private async Task<V1.SessionResponse> DoAsync(V1.SessionRequest request, Caller caller, CancellationToken cancellation)
    {
        if (request.Signal is { } signal)
        {
            await client.Open(VmoHandle.Parse(signal.Handle), caller).SignalAsync((VmoSignals)signal.Clear, (VmoSignals)signal.Set, cancellation);
            return new() { Outcome = new(), Signaled = new() };
        }

        var wait = request.Wait;
        if (wait.Items.Count == 0)
            throw new VmoException(VmoStatus.InvalidArgs, "a wait for nothing");
        var items = wait.Items.Select(item => new WaitItem(VmoHandle.Parse(item.Handle), (VmoSignals)item.Mask)).ToArray();
        var timeout = wait.TimeoutMs < 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(Math.Min(wait.TimeoutMs, int.MaxValue));
        var result = await client.WaitManyAsync(items, timeout, caller, cancellation);
        var waited = new V1.SessionWaited { IsTimedOut = result.IsTimedOut };
        waited.Observed.AddRange(result.Observed.Select(signals => (uint)signals));
        return new() { Outcome = new(), Waited = waited };
    }
}
