using Microsoft.Win32.SafeHandles;

namespace VmoCluster.Cli.Files;

/// <summary>
/// A file to be made whole or not at all: written under a temporary name in the same folder, renamed by <see cref="Keep"/>, gone if that
/// never comes. What is not written is a hole. A device that stands at the path (/dev/null, a disk) is written to as it is, from the front.
/// </summary>
internal sealed class TargetFile : IDisposable
{
    private readonly string _path;
    private readonly string? _temporary;
    private readonly bool _mayReplace;
    private readonly SafeFileHandle _handle;
    private bool _isKept;

    private TargetFile(string path, string? temporary, bool mayReplace, SafeFileHandle handle) =>
        (_path, _temporary, _mayReplace, _handle) = (path, temporary, mayReplace, handle);

    /// <summary>Whether it keeps holes; otherwise zeros must be written, too.</summary>
    public bool IsSparse => _temporary is not null;

    /// <summary>Throws unless a file can be made at a path; nothing is made yet.</summary>
    public static void ThrowIfTaken(string path, bool mayReplace)
    {
        var error = Native.Stat(path, out var stat);
        if (error == 0 && stat.Type == FileType.Folder)
            throw new VmoException(VmoStatus.WrongType, $"{path} is a directory, a file's name is needed");
        if (error == 0 && stat.Type is (FileType.Fifo or FileType.Socket))
            throw new VmoException(VmoStatus.WrongType, $"{path} is a FIFO or socket; give - and redirect stdout to it");
        if (error == 0 && stat.Type is (FileType.Regular or FileType.Block) && !mayReplace)
            throw new VmoException(VmoStatus.AlreadyExists, $"{path} exists and has {stat.Length} bytes; --force replaces it");
        if (error is not (0 or Native.NoEntry))
            throw FileTrouble.Of(error, path);
    }

    /// <summary>Begins a file.</summary>
    public static TargetFile Create(string path, bool mayReplace)
    {
        ThrowIfTaken(path, mayReplace);
        try
        {
            if (Native.Stat(path, out var stat) == 0 && stat.Type != FileType.Regular)
                return new(path, null, mayReplace, File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite));

            // Through a link: what it points at is replaced, not the link.
            var file = new FileInfo(path);
            var real = file.LinkTarget is null ? file.FullName : file.ResolveLinkTarget(true)!.FullName;
            var temporary = Path.Combine(Path.GetDirectoryName(real)!, $".{Path.GetFileName(real)}.{Path.GetRandomFileName()}.vmo-part");
            var handle = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read);
            if (File.Exists(real))
                File.SetUnixFileMode(handle, File.GetUnixFileMode(real));
            return new(real, temporary, mayReplace, handle);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw FileTrouble.Of(exception, path);
        }
    }

    /// <summary>Writes at an offset.</summary>
    public void Write(ulong offset, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(_handle, bytes, (long)offset);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw FileTrouble.Of(exception, _path);
        }
    }

    /// <summary>It as a stream, for what keeps no holes; stays open with this.</summary>
    public Stream AsStream() => new FileStream(new SafeFileHandle(_handle.DangerousGetHandle(), false), FileAccess.Write, 0);

    /// <summary>The length it will have; what was not written reads as zeros.</summary>
    public void SetLength(ulong length)
    {
        if (!IsSparse)
            return;
        try
        {
            RandomAccess.SetLength(_handle, (long)Math.Min(length, long.MaxValue));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw FileTrouble.Of(exception, _path);
        }
    }

    /// <summary>Gives the file its name. From here on it stays.</summary>
    public void Keep()
    {
        if (_temporary is not null)
        {
            try
            {
                File.Move(_temporary, _path, _mayReplace);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw !_mayReplace && File.Exists(_path)
                    ? new VmoException(VmoStatus.AlreadyExists, $"{_path} came to be meanwhile; --force replaces it", inner: exception)
                    : FileTrouble.Of(exception, _path);
            }
        }

        _isKept = true;
    }

    public void Dispose()
    {
        _handle.Dispose();
        if (!_isKept && _temporary is not null)
            File.Delete(_temporary);
    }
}
