namespace VmoCluster;

/// <summary>
/// How a call ended: Zircon's names and numbers (zircon/errors.h) without the prefix. Each is told apart by what the caller does next.
/// </summary>
public enum VmoStatus
{
    Ok = 0,

    /// <summary>A bug of ours.</summary>
    Internal = -1,

    /// <summary>This object, or this product, does not do that.</summary>
    NotSupported = -2,

    NoResources = -3,

    /// <summary>A table of bounded length is full, such as the handles of one VMO.</summary>
    NoMemory = -4,

    /// <summary>The call's numbers or bits make no sense, whatever the state.</summary>
    InvalidArgs = -10,

    /// <summary>The handle is unknown, closed, revoked, expired, or mistyped.</summary>
    BadHandle = -11,

    /// <summary>The handle is of another kind of object.</summary>
    WrongType = -12,

    /// <summary>Outside the object, the handle's range, or a limit.</summary>
    OutOfRange = -14,

    BufferTooSmall = -15,

    /// <summary>Not in the object's present state.</summary>
    BadState = -20,

    /// <summary>The deadline passed. The call may have taken effect or not, unless the message says that it did not.</summary>
    TimedOut = -21,

    /// <summary>Too much to do now; nothing was done. Come back after the hint.</summary>
    ShouldWait = -22,

    /// <summary>The caller gave up, or the handle waited on was closed.</summary>
    Canceled = -23,

    NotFound = -25,
    AlreadyExists = -26,

    /// <summary>Only ever: the VMO is not resizable.</summary>
    Unavailable = -28,

    /// <summary>The handle lacks a right.</summary>
    AccessDenied = -30,

    /// <summary>Trouble with the store or a silo. Repeating the call with its request id is safe.</summary>
    Io = -40,

    /// <summary>A stored page does not match its checksum.</summary>
    DataIntegrity = -42,

    /// <summary>A stored page is gone. Stop using this VMO; a person must look.</summary>
    DataLoss = -43,

    /// <summary>The store is full. Closing, decommitting and revoking still work.</summary>
    NoSpace = -54,
}
