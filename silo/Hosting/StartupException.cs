namespace VmoCluster.Hosting;

/// <summary>The node cannot start as it was told to, on this machine at this time. The message says what stands against it and what to do.</summary>
public sealed class StartupException(string message, Exception? inner = null) : Exception(message, inner);
