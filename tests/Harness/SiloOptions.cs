namespace VmoCluster.Harness;

/// <summary>How a test wants its node.</summary>
public sealed record SiloOptions
{
    /// <summary>The data folder; a fresh one that goes with the node when none is given.</summary>
    public string? Data { get; init; }

    /// <summary>A Redis configuration; the embedded store without one.</summary>
    public string? Redis { get; init; }

    /// <summary>The key prefix in Redis.</summary>
    public string? Prefix { get; init; }

    /// <summary>The password of Redis, given by the environment.</summary>
    public string? RedisPassword { get; init; }

    /// <summary>Whether Orleans clients outside may come in, by a free gateway port.</summary>
    public bool HasGateway { get; init; }

    /// <summary>The lab's participant it runs in; the machine's own namespace without one.</summary>
    public LabHost? Host { get; init; }

    /// <summary>More options of the command line.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>More variables of the environment.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>How long it may take to be ready. Long: the machines are shared.</summary>
    public TimeSpan ReadyWithin { get; init; } = TimeSpan.FromSeconds(60);
}
