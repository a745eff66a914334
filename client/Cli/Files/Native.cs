using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VmoCluster.Cli.Files;

/// <summary>The calls of Linux that .NET has no word for. Constants are those of x86-64 and arm64.</summary>
internal static unsafe partial class Native
{
    public const int SeekSet = 0;
    public const int SeekEnd = 2;
    public const int SeekData = 3;
    public const int SeekHole = 4;

    public const int ReadOnly = 0;
    public const int NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000;
    public const int SetFlags = 4;

    public const short PollIn = 1;
    public const short PollOut = 4;
    public const short PollHangUp = 16;

    public const int NotPermitted = 1;
    public const int NoEntry = 2;
    public const int Interrupted = 4;
    public const int NoSuchDevice = 6;
    public const int TryAgain = 11;
    public const int Access = 13;
    public const int Exists = 17;
    public const int NotADirectory = 20;
    public const int IsADirectory = 21;
    public const int InvalidArgument = 22;
    public const int FileTooBig = 27;
    public const int NoSpaceLeft = 28;
    public const int ReadOnlyFileSystem = 30;
    public const int BrokenPipe = 32;
    public const int QuotaExceeded = 122;

    private const int AtCurrentFolder = -100;
    private const int AtEmptyPath = 0x1000;
    private const uint StatBasic = 0x7ff;

    /// <summary>Moves or asks a file's position; -1 and an errno when it can't.</summary>
    public static long Seek(SafeFileHandle file, long offset, int whence, out int error)
    {
        var at = LSeek(file, offset, whence);
        error = at < 0 ? Marshal.GetLastPInvokeError() : 0;
        return at;
    }

    /// <summary>What lies at a path, links followed. Returns 0 or an errno.</summary>
    public static int Stat(string path, out FileStat stat) => Stat(AtCurrentFolder, path, 0, out stat);

    /// <summary>What an open file is now. Returns 0 or an errno.</summary>
    public static int Stat(SafeFileHandle file, out FileStat stat) => Stat((int)file.DangerousGetHandle(), "", AtEmptyPath, out stat);

    private static int Stat(int folder, string path, int flags, out FileStat stat)
    {
        StatX x;
        var error = StatXCall(folder, path, flags, StatBasic, &x) < 0 ? Marshal.GetLastPInvokeError() : 0;
        stat = error == 0 ? new((FileType)(x.Mode >> 12), (long)x.Size, new(x.ModifiedSeconds, x.ModifiedNanoseconds)) : default;
        return error;
    }

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long LSeek(SafeFileHandle file, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatXCall(int folder, string path, int flags, uint mask, StatX* stat);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static partial nint Read(int file, byte* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(int file, byte* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int Control(int file, int command, int argument);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    public static partial int Poll(PollItem* items, nuint count, int milliseconds);

    /// <summary>One descriptor and what is asked and told of it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct PollItem
    {
        public int File;
        public short Events;
        public short Returned;
    }

    // struct statx: the same bytes on every architecture, which struct stat is not.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatX
    {
        [FieldOffset(28)] public ushort Mode;
        [FieldOffset(40)] public ulong Size;
        [FieldOffset(112)] public long ModifiedSeconds;
        [FieldOffset(120)] public uint ModifiedNanoseconds;
    }
}
