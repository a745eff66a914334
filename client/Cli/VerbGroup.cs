namespace VmoCluster.Cli;

/// <summary>The headings of the overview, in its order.</summary>
internal enum VerbGroup
{
    Objects,
    Bytes,
    Files,
    Disks,
    Handles,
    Signals,
    Operator,
    Shell,
}
