namespace VmoCluster.Cli.Parsing;

/// <summary>The command itself makes no sense: exit code 64, and nothing was asked of any node.</summary>
/// <param name="message">What is wrong and what would be right. Never a handle's text.</param>
internal sealed class UsageException(string message) : Exception(message);
