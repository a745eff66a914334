using System.Globalization;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// The embedded store's folder: ours, of a layout we know, and locked for as long as this process lives. The lock is the kernel's
/// (flock): it falls with the process, however that ends, so a held lock means a living holder.
/// </summary>
internal sealed class StoreFolder : IDisposable
{
    /// <summary>What the embedded server's files look like; a newer server's format makes a new number.</summary>
    private const int LayoutNow = 1;

    private const string MarkerName = "vmo-store";
    private const string MarkerHead = "vmo-cluster embedded store, layout ";
    private const string LockName = "lock";
    private const string HolderName = "holder";

    private readonly FileStream _lock;

    private StoreFolder(string path, FileStream held, bool isFresh) => (Path, _lock, IsFresh) = (path, held, isFresh);

    public string Path { get; }

    /// <summary>Whether this opening made it.</summary>
    public bool IsFresh { get; }

    public string Logs => System.IO.Path.Combine(Path, "log");

    public string Checkpoints => System.IO.Path.Combine(Path, "checkpoint");

    public long FreeBytes => new DriveInfo(Path).AvailableFreeSpace;

    /// <summary>Opens and locks a folder, or says why not. Throws <see cref="StoreException"/>.</summary>
    public static StoreFolder Open(string folder, long freeBytesLeast)
    {
        var path = System.IO.Path.GetFullPath(folder);
        try
        {
            return OpenLocked(path, freeBytesLeast);
        }
        catch (Exception error) when (error is UnauthorizedAccessException or IOException)
        {
            var isFull = error.HResult is NoSpaceOnDevice or DiskQuotaExceeded;
            throw isFull
                ? NoRoom(path, error)
                : new StoreException(VmoStatus.Io, $"The data folder {path} cannot be written ({Reason(error)}): check its owner, mode and file system.", error);
        }
    }

    public void Dispose() => _lock.Dispose();

    public static StoreException NoRoom(string path, Exception? inner = null) =>
        new(VmoStatus.NoSpace, $"There is no room on the disk of the data folder {path}: free some space or choose another folder.", inner);

    // errno, which .NET puts into HResult on Unix.
    private const int NoSpaceOnDevice = 28;
    private const int DiskQuotaExceeded = 122;

    private static StoreFolder OpenLocked(string path, long freeBytesLeast)
    {
        if (File.Exists(path))
            throw new StoreException(VmoStatus.Io, $"The data folder {path} is a file.");
        var marker = System.IO.Path.Combine(path, MarkerName);
        if (Directory.Exists(path) && !File.Exists(marker) && Strangers(path).FirstOrDefault() is { } stranger)
            throw new StoreException(VmoStatus.Io, $"The folder {path} is not a VMO Cluster's: it holds {System.IO.Path.GetFileName(stranger)} and has no {MarkerName}. Choose an empty one.");
        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        if (!OperatingSystem.IsWindows())
            Directory.CreateDirectory(path, ownerOnly);
        else
            Directory.CreateDirectory(path);
        var held = Lock(path);
        try
        {
            var isFresh = !File.Exists(marker);
            if (!isFresh)
                CheckMarker(path, marker);
            if (new DriveInfo(path).AvailableFreeSpace < freeBytesLeast)
                throw NoRoom(path);
            if (isFresh)
                WriteMarker(marker);
            return new(path, held, isFresh);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    // The lock file and its holder's number may be left by a start that ended before the marker was written.
    private static IEnumerable<string> Strangers(string path) =>
        Directory.EnumerateFileSystemEntries(path).Where(entry => System.IO.Path.GetFileName(entry) is not (LockName or HolderName));

    private static FileStream Lock(string path)
    {
        var holder = System.IO.Path.Combine(path, HolderName);
        FileStream held;
        try
        {
            // FileShare.None is flock(LOCK_EX) here.
            held = new(System.IO.Path.Combine(path, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error) when (error.HResult is WouldBlock)
        {
            var number = File.Exists(holder) ? File.ReadAllText(holder).Trim() : "unknown";
            throw new StoreException(VmoStatus.Io, $"The data folder {path} is in use by process {number}: stop it, or choose another folder.", error);
        }

        File.WriteAllText(holder, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        return held;
    }

    private const int WouldBlock = 11;

    private static void CheckMarker(string path, string marker)
    {
        var text = File.ReadAllText(marker);
        if (!text.StartsWith(MarkerHead, StringComparison.Ordinal)
            || !int.TryParse(text.AsSpan(MarkerHead.Length).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var layout))
            throw new StoreException(VmoStatus.Io, $"The folder {path} is not a VMO Cluster's: its {MarkerName} says something else. Choose an empty one.");
        if (layout > LayoutNow)
        {
            throw new StoreException(
                VmoStatus.Io, $"The data folder {path} has layout {layout}, this build knows layout {LayoutNow}: run a newer build. Nothing was changed.");
        }
    }

    // Whole or not at all: a marker cut short would make the folder a stranger's.
    private static void WriteMarker(string marker)
    {
        var writing = marker + ".new";
        File.WriteAllText(writing, string.Create(CultureInfo.InvariantCulture, $"{MarkerHead}{LayoutNow}\n"));
        File.Move(writing, marker, overwrite: true);
    }

    private static string Reason(Exception error) => error is UnauthorizedAccessException ? "no permission" : error.Message;
}
