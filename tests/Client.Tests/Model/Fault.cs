namespace VmoCluster.Client.Tests.Model;

/// <summary>What becomes of one attempt on its way to the model and back.</summary>
public enum FaultKind
{
    None,

    /// <summary>The message never arrives; the sender finds out.</summary>
    LoseMessage,

    /// <summary>The call takes effect, its answer never arrives; the sender finds out.</summary>
    LoseAnswer,

    /// <summary>The message never arrives, and nothing tells.</summary>
    HangBefore,

    /// <summary>The call takes effect, its answer never arrives, and nothing tells.</summary>
    HangAfter,

    /// <summary>Refused for now, nothing done.</summary>
    ShouldWait,

    /// <summary>The transport breaks its promise.</summary>
    Throw,
}

public readonly record struct Fault(FaultKind Kind, int RetryAfterMs = 0)
{
    public static Fault None => default;
}

/// <summary>One attempt as the model saw it.</summary>
public sealed record Attempt(string Name, int Number, RequestId Request, ulong AckedBelow, int DeadlineMs, int Items, int Bytes, Caller Caller, long At);
