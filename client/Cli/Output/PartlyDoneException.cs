namespace VmoCluster.Cli.Output;

/// <summary>A command of several calls failed after some were acknowledged.</summary>
/// <param name="key">What is counted: <c>written</c> bytes, <c>closed</c> handles.</param>
/// <param name="number">How many were acknowledged.</param>
/// <param name="reason">What failed.</param>
internal sealed class PartlyDoneException(string key, ulong number, Exception reason) : Exception(reason.Message, reason)
{
    public string Key => key;

    public ulong Number => number;
}
