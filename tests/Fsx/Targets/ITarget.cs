using VmoCluster.Fsx.Ops;
using VmoCluster.Messages;

namespace VmoCluster.Fsx.Targets;

/// <summary>
/// One family of real VMOs, by the names of a script. What a call is refused with is told as its outcome; trouble that a client would try again through
/// is tried again here.
/// </summary>
internal interface ITarget : IAsyncDisposable
{
    /// <summary>How long figures may take to become what they are at rest, after <see cref="SettleAsync"/>.</summary>
    TimeSpan Patience { get; }

    Task<Outcome> CreateAsync(HandleName name, ulong size, bool isFixed);

    Task<Outcome> WriteAsync(HandleName on, ulong offset, byte[] data);

    Task<(Outcome Outcome, byte[] Data)> ReadAsync(HandleName on, ulong offset, ulong length);

    /// <summary>Zero, decommit, commit, resize, content size, close, revoke.</summary>
    Task<Outcome> CallAsync(Op op);

    Task<Outcome> DuplicateAsync(HandleName on, HandleName to, VmoRights rights);

    /// <summary>All or none.</summary>
    Task<Outcome> CloneAsync(HandleName on, IReadOnlyList<ChildSpec> children);

    /// <summary>The stretches that are present.</summary>
    Task<(Outcome Outcome, IReadOnlyList<LookupRun> Runs)> LookupAsync(HandleName on, ulong offset, ulong length);

    Task<(Outcome Outcome, VmoInfo? Info)> InfoAsync(HandleName on);

    /// <summary>Which VMO of the script has a koid; null for none of them.</summary>
    int? NameOf(Koid koid);

    /// <summary>Does what only a simulation can: crash, some, trim.</summary>
    void Disturb(Op op);

    /// <summary>Waits until nothing goes on, where that can be told.</summary>
    Task SettleAsync();

    /// <summary>At rest: whether the bytes charged to all add up to those stored. Null: they do, or it cannot be told.</summary>
    Task<string?> CheckBooksAsync();

    /// <summary>When every handle is closed: whether anything is left. Null: nothing, or it cannot be told.</summary>
    Task<string?> CheckEmptyAsync();
}
