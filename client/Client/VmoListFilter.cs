namespace VmoCluster.Client;

/// <summary>Which VMOs an operator's list shows. Everything null: all.</summary>
/// <param name="LabelKey">Only those with this label.</param>
/// <param name="LabelValue">The label's value.</param>
/// <param name="NameGlob">Only names that match: * and ? as in a shell.</param>
public sealed record VmoListFilter(string? LabelKey = null, string? LabelValue = null, string? NameGlob = null);
