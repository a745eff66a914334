namespace VmoCluster.Client;

/// <summary>What a VMO is created with.</summary>
public sealed record VmoCreateOptions
{
    /// <summary>The name, cut to 31 bytes of UTF-8 by the server.</summary>
    public string Name { get; init; } = "";

    /// <summary><c>set_size</c> answers Unavailable for ever.</summary>
    public bool NonResizable { get; init; }

    /// <summary>Further raw option bits; unknown ones are refused by the server.</summary>
    public VmoOptions Options { get; init; }

    /// <summary>Labels, within the limits.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>How long the creation is tried; null for the client's.</summary>
    public TimeSpan? Deadline { get; init; }
}
