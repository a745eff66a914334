namespace VmoCluster.PageStore;

/// <summary>A write was made, but the acknowledgement asked for did not come in time: to be treated as if nobody had answered.</summary>
internal sealed class UnacknowledgedException() : TimeoutException("The change was made, but its durability was not acknowledged in time.");
