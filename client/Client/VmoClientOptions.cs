namespace VmoCluster.Client;

/// <summary>How a client reaches its cluster and how long it tries.</summary>
public sealed class VmoClientOptions
{
    /// <summary>The cluster's gRPC doors, in order of preference; a later one is used while the earlier ones do not answer.</summary>
    public IReadOnlyList<Uri> Endpoints { get; init; } = [];

    /// <summary>How long a call is tried, its retries included. Default 15 s, at most <see cref="Limits.DeadlineMaxMs"/>.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromMilliseconds(Limits.DeadlineDefaultMs);

    /// <summary>How long one attempt waits for its answer before the next begins. Default 4 s: below the transports' own time-outs.</summary>
    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>How long a call keeps trying while no server has ever answered this client. Default 5 s; never beyond the deadline.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The operator's credential, or a bearer token; goes to the server as metadata and is never printed.</summary>
    public string? OperatorToken { get; init; }

    /// <summary>Who calls, for transports that prove nothing by themselves (Orleans, inside the cluster). A gRPC door decides for itself.</summary>
    public Caller Caller { get; init; } = Caller.Anonymous;

    /// <summary>Whether small concurrent reads and writes through one <see cref="Vmo"/> share messages. Default true.</summary>
    public bool JoinCalls { get; init; } = true;

    /// <summary>Messages of joined reads, and of joined writes, in flight for one <see cref="Vmo"/>; what comes meanwhile is joined. Default 2.</summary>
    public int JoinMessagesInFlight { get; init; } = 2;

    /// <summary>Calls of 1 MiB in flight of one transfer above 1 MiB. Default 4.</summary>
    public int TransferCallsInFlight { get; init; } = 4;

    /// <summary>Connections to one endpoint; large bodies on one hold up nothing on the others. Default 2.</summary>
    public int ConnectionsPerEndpoint { get; init; } = 2;

    /// <summary>The clock of deadlines, request ids and back-off.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>The chance of back-off.</summary>
    internal Random Chance { get; init; } = Random.Shared;

    internal void Validate()
    {
        CheckDeadline(Deadline);
        CheckMost(AttemptTimeout, "AttemptTimeout");
        CheckMost(ConnectTimeout, "ConnectTimeout");
        CheckAtLeastOne(JoinMessagesInFlight, "JoinMessagesInFlight");
        CheckAtLeastOne(TransferCallsInFlight, "TransferCallsInFlight");
        CheckAtLeastOne(ConnectionsPerEndpoint, "ConnectionsPerEndpoint");
    }

    internal static TimeSpan CheckDeadline(TimeSpan deadline)
    {
        CheckMost(deadline, "Deadline");
        return deadline;
    }

    private static void CheckMost(TimeSpan value, string name)
    {
        if (value < TimeSpan.FromMilliseconds(1) || value.TotalMilliseconds > Limits.DeadlineMaxMs)
            throw new VmoException(VmoStatus.InvalidArgs, $"{name} of {value.TotalMilliseconds} ms; it must be 1 to {Limits.DeadlineMaxMs} ms");
    }

    private static void CheckAtLeastOne(int value, string name)
    {
        if (value < 1)
            throw new VmoException(VmoStatus.InvalidArgs, $"{name} is {value}; it must be at least 1");
    }
}
