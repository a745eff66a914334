namespace VmoCluster.Hosting.Settings;

/// <summary>The node was told something it cannot follow; nothing was started. The message has a sentence per mistake, each saying what to do.</summary>
public sealed class SettingsException(string message) : Exception(message);
