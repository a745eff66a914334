namespace VmoCluster.Cli.Files;

/// <summary>The type bits of a Unix mode.</summary>
internal enum FileType
{
    Fifo = 1,
    Character = 2,
    Folder = 4,
    Block = 6,
    Regular = 8,
    Link = 10,
    Socket = 12,
}

/// <summary>When a file's bytes last changed, as the file system counts.</summary>
internal readonly record struct ModifiedAt(long Seconds, uint Nanoseconds);

/// <summary>What a file is: its type, its length in bytes, its last change.</summary>
internal readonly record struct FileStat(FileType Type, long Length, ModifiedAt Modified);
