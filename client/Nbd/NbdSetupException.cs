namespace VmoCluster.NbdDoor;

/// <summary>NBD cannot be served as it was told to be. The message says what stands against it and what to do.</summary>
public sealed class NbdSetupException(string message, Exception? inner = null) : Exception(message, inner);
