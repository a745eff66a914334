using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace VmoCluster.Cli.Files;

/// <summary>
/// A file to read from. A regular file or block device can be read anywhere and tells its holes; a FIFO is a stream, and it must have a
/// writer (or get one within two seconds): an open that never returns helps nobody. Anything else is refused.
/// </summary>
internal sealed class InputFile : IDisposable
{
    private const int WriterWithinMs = 2000;

    private readonly SafeFileHandle _handle;
    private readonly FileStat _opened;
    private readonly byte[] _prefix;

    private InputFile(string path, SafeFileHandle handle, FileStat opened, byte[] prefix)
    {
        (Path, _handle, _opened, _prefix) = (path, handle, opened, prefix);
        if (IsStream)
            return;
        // A block device has its length here only, not in its stat. Whoever takes the file as a stream begins at its beginning.
        var end = Native.Seek(handle, 0, Native.SeekEnd, out var error);
        if (end < 0 || Native.Seek(handle, 0, Native.SeekSet, out error) < 0)
            throw FileTrouble.Of(error, path);
        Length = (ulong)end;
    }

    public string Path { get; }

    /// <summary>Whether it is a FIFO; one has no name worth keeping.</summary>
    public bool IsFifo => _opened.Type == FileType.Fifo;

    /// <summary>Whether it can only be read from the front, its length unknown: a FIFO, and what tells no length, such as the files of /proc.</summary>
    public bool IsStream => IsFifo || _opened is { Type: FileType.Regular, Length: 0 };

    /// <summary>Bytes when it was opened; 0 for a stream.</summary>
    public ulong Length { get; }

    /// <summary>Opens a file, or throws what is wrong with it.</summary>
    public static InputFile Open(string path)
    {
        if (Native.Stat(path, out var stat) is > 0 and var error)
            throw FileTrouble.Of(error, path);
        switch (stat.Type)
        {
            case FileType.Regular or FileType.Block:
                try
                {
                    return new(path, File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete), stat, []);
                }
                catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
                {
                    throw FileTrouble.Of(exception, path);
                }

            case FileType.Fifo:
                return OpenFifo(path, stat);
            case FileType.Folder:
                throw new VmoException(VmoStatus.WrongType, $"{path} is a directory, a file is needed; make an image of it first, such as with mke2fs -d");
            case FileType.Character:
                throw new VmoException(VmoStatus.WrongType, $"{path} is a character device; to read from it, redirect it to stdin and give -");
            default:
                throw new VmoException(VmoStatus.WrongType, $"{path} is neither a file, a block device nor a FIFO");
        }
    }

    /// <summary>It as a stream from its beginning, which stays open with this.</summary>
    public Stream AsStream()
    {
        // No buffer: everyone here reads by the MiB. Not closed with the stream, the handle is ours.
        var stream = new FileStream(new SafeFileHandle(_handle.DangerousGetHandle(), false), FileAccess.Read, 0);
        return _prefix.Length == 0 ? stream : new PrefixedStream(_prefix, stream);
    }

    /// <summary>
    /// The stretch of data at or after an offset: false if only holes follow. Asks the file system, which knows without reading; where it
    /// doesn't know, everything is data.
    /// </summary>
    public bool TryNextData(ulong from, out ByteRange data)
    {
        data = default;
        if (from >= Length)
            return false;
        var begin = Native.Seek(_handle, (long)from, Native.SeekData, out var error);
        if (begin < 0)
        {
            data = new(from, Length - from);
            return error != Native.NoSuchDevice;
        }

        var end = Native.Seek(_handle, begin, Native.SeekHole, out _);
        var until = end < 0 ? Length : Math.Min((ulong)end, Length);
        data = new((ulong)begin, until - Math.Min((ulong)begin, until));
        return (ulong)begin < until;
    }

    /// <summary>Reads exactly so many bytes, or throws that the file has shrunk.</summary>
    public void Read(ulong offset, Span<byte> destination)
    {
        for (var done = 0; done < destination.Length;)
        {
            int read;
            try
            {
                read = RandomAccess.Read(_handle, destination[done..], (long)offset + done);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw FileTrouble.Of(exception, Path);
            }

            if (read == 0)
                throw Changed($"had {Length} bytes, now ends at {offset + (ulong)done}");
            done += read;
        }
    }

    /// <summary>Throws if the file is no longer as it was when it was opened: what was read of it may be of no instant.</summary>
    public void ThrowIfChanged()
    {
        if (_opened.Type != FileType.Regular)
            return;
        if (Native.Stat(_handle, out var now) is > 0 and var error)
            throw FileTrouble.Of(error, Path);
        if ((ulong)now.Length != Length)
            throw Changed(string.Create(CultureInfo.InvariantCulture, $"had {Length} bytes, now has {now.Length}"));
        if (now.Modified != _opened.Modified)
            throw Changed("was written to");
    }

    public void Dispose() => _handle.Dispose();

    private VmoException Changed(string how) => new(VmoStatus.BadState, $"{Path} changed while it was read: it {how}");

    private static unsafe InputFile OpenFifo(string path, FileStat stat)
    {
        // Opened without waiting, so that a FIFO nobody writes to can be told: it reads as ended where one with a silent writer says
        // "try again", and where a writer came and went it also says "hung up".
        var file = Native.Open(path, Native.ReadOnly | Native.NonBlocking | Native.CloseOnExec, 0);
        if (file < 0)
            throw FileTrouble.Of(System.Runtime.InteropServices.Marshal.GetLastPInvokeError(), path);
        var handle = new SafeFileHandle(file, true);
        var prefix = new byte[4096];
        for (var waited = 0; ; waited += 10)
        {
            nint read;
            fixed (byte* buffer = prefix)
                read = Native.Read(file, buffer, prefix.Length);
            var error = System.Runtime.InteropServices.Marshal.GetLastPInvokeError();
            var item = new Native.PollItem { File = file, Events = Native.PollIn };
            if (read > 0 || (read < 0 && error == Native.TryAgain) || (read == 0 && Native.Poll(&item, 1, 0) > 0 && (item.Returned & Native.PollHangUp) != 0))
            {
                _ = Native.Control(file, Native.SetFlags, 0);
                return new(path, handle, stat, prefix[..(int)Math.Max(0, read)]);
            }

            if (read < 0 || waited >= WriterWithinMs)
            {
                handle.Dispose();
                throw read < 0 ? FileTrouble.Of(error, path) : new VmoException(VmoStatus.BadState, $"{path} is a FIFO that nobody writes to; none came within {WriterWithinMs} ms");
            }

            Thread.Sleep(10);
        }
    }
}
