namespace VmoCluster.Fsx;

/// <summary>Where the target and the model part.</summary>
/// <param name="At">The operation's place in the script, from 0; at its length: after the last.</param>
/// <param name="What">What was wanted and what was found.</param>
internal sealed record Failure(int At, string What);
