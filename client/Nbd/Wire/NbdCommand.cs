namespace VmoCluster.NbdDoor.Wire;

/// <summary>What a request asks for (NBD protocol, "Request types").</summary>
internal enum NbdCommand : ushort
{
    Read = 0,
    Write = 1,
    Disconnect = 2,
    Flush = 3,
    Trim = 4,
    Cache = 5,
    WriteZeroes = 6,
    BlockStatus = 7,
}

/// <summary>How it asks for it (NBD protocol, "Command flags").</summary>
[Flags]
internal enum NbdCommandFlags : ushort
{
    None = 0,
    ForceUnitAccess = 1,
    NoHole = 2,
    DontFragment = 4,
    RequestOne = 8,
    FastZero = 16,
}

/// <summary>What an export can do (NBD protocol, "Transmission flags").</summary>
[Flags]
internal enum NbdTransmissionFlags : ushort
{
    HasFlags = 1,
    ReadOnly = 2,
    SendFlush = 4,
    SendForceUnitAccess = 8,
    Rotational = 16,
    SendTrim = 32,
    SendWriteZeroes = 64,
    SendDontFragment = 128,
    CanMultiConnect = 256,
    SendCache = 1024,
    SendFastZero = 2048,
}

/// <summary>Pieces of a structured reply (NBD protocol, "Structured reply types").</summary>
internal enum NbdChunk : ushort
{
    None = 0,
    OffsetData = 1,
    OffsetHole = 2,
    BlockStatus = 5,
    Error = (1 << 15) | 1,
    ErrorOffset = (1 << 15) | 2,
}

/// <summary>Why a request failed: Linux' numbers, those that the protocol names.</summary>
internal enum NbdError : uint
{
    None = 0,
    NotPermitted = 1,
    Io = 5,
    Invalid = 22,
    NoSpace = 28,
    Overflow = 75,
    NotSupported = 95,
    Shutdown = 108,
}
