namespace VmoCluster.Harness;

/// <summary>Where a Redis runs.</summary>
/// <param name="Host">The lab's participant; the machine's own namespace without one.</param>
/// <param name="Folder">The folder in which it makes its own, such as a <see cref="SmallDisk"/>; the temporary one without.</param>
public readonly record struct RedisPlace(LabHost? Host = null, string? Folder = null);
