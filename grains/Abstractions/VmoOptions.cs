namespace VmoCluster;

/// <summary>The options a VMO is created with.</summary>
[Flags]
public enum VmoOptions : uint
{
    None = 0,

    /// <summary><c>set_size</c> answers Unavailable for ever.</summary>
    NonResizable = 1,
}
