using VmoCluster.Cli.Output;
using VmoCluster.Client;

namespace VmoCluster.Cli;

/// <summary>
/// A command's client. Before the first call it makes sure that some endpoint listens: a node that is not there is told at once, with its
/// own exit code, and not after a call's whole deadline.
/// </summary>
internal sealed class Connection(Surroundings surroundings, IReadOnlyList<Uri> endpoints, TimeSpan? timeout) : IAsyncDisposable
{
    private static readonly TimeSpan ProbeEvery = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ProbeWithin = TimeSpan.FromSeconds(5);

    private VmoClient? _client;

    /// <summary>How long to wait for an endpoint to listen: a node that is just starting is worth a moment. With --timeout the user says it.</summary>
    public TimeSpan ListensWithin { get; init; } = TimeSpan.FromSeconds(1);

    public IReadOnlyList<Uri> Endpoints => endpoints;

    /// <summary>The endpoints, for messages.</summary>
    public string Where => string.Join(", ", endpoints.Select(e => e.GetLeftPart(UriPartial.Authority)));

    /// <summary>The client, made once. Throws NoConnection if no endpoint listens.</summary>
    /// <param name="operatorToken">For operator's calls; nothing else carries it.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    public Task<VmoClient> OpenAsync(string? operatorToken, CancellationToken cancellation) => OpenAsync(operatorToken, Deadline, cancellation);

    /// <summary>The same, with calls that are tried for so long.</summary>
    public async Task<VmoClient> OpenAsync(string? operatorToken, TimeSpan deadline, CancellationToken cancellation)
    {
        if (_client is not null)
            return _client;
        await ListeningAsync(timeout is { } most && most > TimeSpan.Zero ? most : ListensWithin, cancellation);
        return _client = surroundings.Connect(new()
        {
            Endpoints = endpoints,
            Deadline = deadline,
            // That somebody listens is known by now; a node that is slow to answer for the first time is as good as one that was slow later.
            ConnectTimeout = deadline,
            OperatorToken = operatorToken,
            TimeProvider = surroundings.Time,
        });
    }

    /// <summary>
    /// What a failure was really: trouble with an endpoint that no longer listens, or that never answered as a node does, is no connection.
    /// </summary>
    public async Task<Exception> ExplainAsync(Exception exception)
    {
        if (exception is PartlyDoneException { InnerException: { } inner } partly)
            return await ExplainAsync(inner) is var explained && explained == inner ? partly : new PartlyDoneException(partly.Key, partly.Number, explained);
        if (exception is not VmoException { Status: VmoStatus.Io or VmoStatus.TimedOut } refused || _client is null)
            return exception;
        if (refused.Status == VmoStatus.Io && !_client.HasAnswered)
            return new NoConnectionException(refused.Message);
        var reasons = await ProbeAllAsync(CancellationToken.None);
        return reasons is null ? exception : new NoConnectionException($"{reasons}; {exception.Message}");
    }

    public ValueTask DisposeAsync() => _client?.DisposeAsync() ?? ValueTask.CompletedTask;

    // A call's deadline has a most; whatever takes longer is made of several calls. 0 asks once: as long as one attempt is given.
    private TimeSpan Deadline => timeout switch
    {
        null => TimeSpan.FromMilliseconds(Limits.DeadlineDefaultMs),
        { Ticks: 0 } => TimeSpan.FromSeconds(4),
        { } given when given > TimeSpan.FromMilliseconds(Limits.DeadlineMaxMs) => TimeSpan.FromMilliseconds(Limits.DeadlineMaxMs),
        { } given => given,
    };

    private async Task ListeningAsync(TimeSpan within, CancellationToken cancellation)
    {
        var begun = surroundings.Time.GetTimestamp();
        while (await ProbeAllAsync(cancellation) is { } reasons)
        {
            if (surroundings.Time.GetElapsedTime(begun) + ProbeEvery > within)
                throw new NoConnectionException(reasons);
            await Task.Delay(ProbeEvery, surroundings.Time, cancellation);
        }
    }

    // Null as soon as one listens; otherwise each with its reason.
    private async Task<string?> ProbeAllAsync(CancellationToken cancellation)
    {
        var reasons = new List<string>();
        foreach (var endpoint in endpoints)
        {
            var url = endpoint.GetLeftPart(UriPartial.Authority);
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limited.CancelAfter(ProbeWithin);
            try
            {
                if (await surroundings.Probe(endpoint, limited.Token) is not { } reason)
                    return null;
                reasons.Add($"{url}: {reason}");
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                reasons.Add($"{url}: no answer within {ProbeWithin.TotalSeconds} s");
            }
        }

        return string.Join("; ", reasons);
    }
}
