namespace VmoCluster.NbdDoor.Wire;

/// <summary>The protocol's magic numbers and fixed sizes (NBD protocol, all big-endian), and the bounds that this server adds.</summary>
internal static class NbdNumbers
{
    public const ulong Greeting = 0x4e42444d41474943; // "NBDMAGIC"
    public const ulong OptionMagic = 0x49484156454F5054; // "IHAVEOPT"
    public const ulong OptionReplyMagic = 0x3e889045565a9;
    public const uint RequestMagic = 0x25609513;
    public const uint SimpleReplyMagic = 0x67446698;
    public const uint StructuredReplyMagic = 0x668e33ef;

    public const int RequestBytes = 28;
    public const int SimpleReplyBytes = 16;
    public const int ChunkBytes = 20;

    /// <summary>Both sides speak the fixed newstyle; no 124 zeros after EXPORT_NAME.</summary>
    public const ushort FixedNewstyle = 1, NoZeroes = 2;

    /// <summary>Bytes of a name, of an export or a context (NBD protocol, "Values").</summary>
    public const int NameBytesMax = 4096;

    /// <summary>Bytes of an option's data: a name, and contexts asked for by name. More ends the connection.</summary>
    public const int OptionBytesMax = 64 << 10;

    /// <summary>Options of one handshake. More ends the connection.</summary>
    public const int OptionsMax = 64;

    /// <summary>Contexts asked for in one option.</summary>
    public const int QueriesMax = 64;

    /// <summary>Bytes of one read or write, as offered: what is customary, and what the kernel's client never exceeds.</summary>
    public const uint PayloadBytesMax = 32 << 20;

    /// <summary>The structured chunk that ends a reply.</summary>
    public const ushort ChunkDone = 1;
}
