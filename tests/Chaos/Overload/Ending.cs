namespace VmoCluster.Chaos.Overload;

/// <summary>How a call ended.</summary>
internal enum Ending
{
    Ok,

    /// <summary>ShouldWait: told to come back, nothing was done.</summary>
    Refused,

    /// <summary>No answer by its deadline.</summary>
    TimedOut,

    /// <summary>Anything else.</summary>
    Failed,
}
