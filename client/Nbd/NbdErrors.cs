using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor;

/// <summary>The one mapping of what a call ended with to what a disk's user is told.</summary>
internal static class NbdErrors
{
    /// <summary>
    /// The error of a failed call. A handle that is gone is a disk that was taken away, and a VMO without its pages one that is broken: nothing a user
    /// could do differently. What was tried for long enough has failed for good.
    /// </summary>
    public static NbdError Of(VmoStatus status, NbdCommand command = NbdCommand.Read) => status switch
    {
        VmoStatus.Ok => NbdError.None,
        // The VMO has become smaller: a write has no room there.
        VmoStatus.OutOfRange when command is NbdCommand.Write or NbdCommand.WriteZeroes => NbdError.NoSpace,
        VmoStatus.BadHandle or VmoStatus.NotFound or VmoStatus.Canceled => NbdError.Shutdown,
        VmoStatus.AccessDenied => NbdError.NotPermitted,
        VmoStatus.InvalidArgs or VmoStatus.OutOfRange or VmoStatus.WrongType or VmoStatus.BufferTooSmall => NbdError.Invalid,
        VmoStatus.NoSpace or VmoStatus.NoMemory or VmoStatus.NoResources => NbdError.NoSpace,
        // NotSupported is said of FAST_ZERO only, and by the door itself.
        VmoStatus.NotSupported => NbdError.Invalid,
        _ => NbdError.Io,
    };

    /// <summary>Whether there will never be another answer: the connection is of no use any more.</summary>
    public static bool IsEnd(NbdError error) => error == NbdError.Shutdown;
}
