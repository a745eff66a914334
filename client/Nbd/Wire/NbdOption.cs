namespace VmoCluster.NbdDoor.Wire;

/// <summary>What a client may ask for in the handshake (NBD protocol, "Option types").</summary>
internal enum NbdOption : uint
{
    ExportName = 1,
    Abort = 2,
    List = 3,
    StartTls = 5,
    Info = 6,
    Go = 7,
    StructuredReply = 8,
    ListMetaContext = 9,
    SetMetaContext = 10,
}

/// <summary>How an option is answered (NBD protocol, "Option reply types"). From 2^31 on it is a refusal.</summary>
internal enum NbdOptionReply : uint
{
    Ack = 1,
    Server = 2,
    Info = 3,
    MetaContext = 4,
    Unsupported = (1u << 31) | 1,
    Policy = (1u << 31) | 2,
    Invalid = (1u << 31) | 3,
    Platform = (1u << 31) | 4,
    TlsRequired = (1u << 31) | 5,
    Unknown = (1u << 31) | 6,
    Shutdown = (1u << 31) | 7,
    BlockSizeRequired = (1u << 31) | 8,
    TooBig = (1u << 31) | 9,
}

/// <summary>What a server says of an export before it is used.</summary>
internal enum NbdInfo : ushort
{
    Export = 0,
    Name = 1,
    Description = 2,
    BlockSize = 3,
}
