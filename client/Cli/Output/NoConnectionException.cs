namespace VmoCluster.Cli.Output;

/// <summary>No endpoint took the connection: exit code 69.</summary>
internal sealed class NoConnectionException(string message) : Exception(message);
