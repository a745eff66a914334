namespace VmoCluster;

/// <summary>Koids in a row, as children of one call are.</summary>
/// <param name="First">The lowest.</param>
/// <param name="Count">How many.</param>
[GenerateSerializer, Immutable, Alias("vmo.KoidRange")]
public readonly record struct KoidRange([property: Id(0)] Koid First, [property: Id(1)] int Count);
