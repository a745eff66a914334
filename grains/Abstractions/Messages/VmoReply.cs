namespace VmoCluster.Messages;

/// <summary>The answer to a <see cref="VmoCall"/>. Only the fields of the call's kind are filled.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Reply")]
public sealed class VmoReply
{
    /// <summary>How it ended.</summary>
    [Id(0)] public Outcome Outcome { get; init; }

    /// <summary>Size, content size, handle count, expiry (Unix ms), next offset of LOOKUP (0: complete): what the call asks for.</summary>
    [Id(1)] public ulong Number { get; init; }

    /// <summary>The name.</summary>
    [Id(2)] public string? Name { get; init; }

    /// <summary>The signals observed.</summary>
    [Id(3)] public VmoSignals Signals { get; init; }

    /// <summary>The rights of the handle that was made, or asked about.</summary>
    [Id(4)] public VmoRights Rights { get; init; }

    /// <summary>LOOKUP's answer, in order.</summary>
    [Id(5)] public LookupRun[]? Runs { get; init; }

    /// <summary>get_info's answer.</summary>
    [Id(6)] public VmoInfo? Info { get; init; }

    /// <summary>The VMO's version after the call, or the one it was answered at.</summary>
    [Id(7)] public ulong Version { get; init; }

    /// <summary>The first child made; the others follow.</summary>
    [Id(8)] public Koid Koid { get; init; }

    /// <summary>A family, parents first.</summary>
    [Id(9)] public TreeNode[]? Tree { get; init; }

    /// <summary>Where a page comes from.</summary>
    [Id(10)] public Explanation? Explanation { get; init; }

    /// <summary>The same answer with another info.</summary>
    public VmoReply With(VmoInfo info) => new() { Outcome = Outcome, Number = Number, Name = Name, Signals = Signals, Rights = Rights, Runs = Runs, Info = info, Version = Version };

    /// <summary>A refusal.</summary>
    public static VmoReply Fail(VmoStatus status, string message, int retryAfterMs = 0) =>
        new() { Outcome = new(status, message, retryAfterMs) };

    /// <summary>A plain yes.</summary>
    public static VmoReply Ok { get; } = new();
}
