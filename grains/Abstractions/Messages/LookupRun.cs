namespace VmoCluster.Messages;

/// <summary>A stretch of present pages. Absent ones are not listed.</summary>
/// <param name="Range">Bytes, whole pages.</param>
/// <param name="IsZero">The pages are marked or committed zero; no bytes are stored for them.</param>
/// <param name="Owner">The VMO that holds them: this one or an ancestor.</param>
[GenerateSerializer, Immutable, Alias("vmo.LookupRun")]
public readonly record struct LookupRun([property: Id(0)] ByteRange Range, [property: Id(1)] bool IsZero, [property: Id(2)] Koid Owner);
