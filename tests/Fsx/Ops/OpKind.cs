namespace VmoCluster.Fsx.Ops;

/// <summary>What a line of a script does; the word is the kind's name in small letters.</summary>
public enum OpKind
{
    Create,
    Write,
    Read,
    Zero,
    Decommit,
    Commit,
    Lookup,
    Resize,
    Content,
    Clone,
    Dup,
    Close,
    Revoke,
    Info,

    /// <summary>Waits until nothing goes on, and compares everything that there is to compare.</summary>
    Rest,

    /// <summary>A silo of the simulation dies. Elsewhere nothing happens.</summary>
    Crash,

    /// <summary>A few of the things under way happen, in the simulation.</summary>
    Some,

    /// <summary>The simulation's memory becomes tight, or wide again.</summary>
    Trim,
}
