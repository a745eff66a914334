using System.Globalization;

namespace VmoCluster.Harness;

/// <summary>A file system of a few megabytes in memory, which can be full. Needs the right to mount.</summary>
public sealed class SmallDisk : IDisposable
{
    private const string Prefix = "vmodisk-";
    private static readonly Lazy<string?> WhyImpossible = new(Try);
    private static int s_disks;

    private SmallDisk(int megabytes)
    {
        Folder = Path.Combine(Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Tools.Owner}-{Interlocked.Increment(ref s_disks)}"));
        Directory.CreateDirectory(Folder);
        if (Tools.Fails(null, "mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={megabytes}m"), "vmodisk", Folder) is { } said)
        {
            Directory.Delete(Folder);
            throw new InvalidOperationException(said);
        }
    }

    /// <summary>Why this machine has none; null where it has.</summary>
    public static string? Impossible => WhyImpossible.Value;

    public string Folder { get; }

    private string Ballast => Path.Combine(Folder, "ballast");

    /// <summary>Mounts one. Throws where it is <see cref="Impossible"/>.</summary>
    public static SmallDisk Open(int megabytes) => Impossible is { } why ? throw new PlatformNotSupportedException(why) : new(megabytes);

    /// <summary>Takes all the room there is left.</summary>
    public void Fill()
    {
        using var file = new FileStream(Ballast, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        var bytes = new byte[4096];
        try
        {
            while (true)
                file.Write(bytes);
        }
        catch (IOException)
        {
            // Full.
        }
    }

    /// <summary>Gives back what <see cref="Fill"/> took.</summary>
    public void Free() => File.Delete(Ballast);

    /// <summary>Unmounts it, and what is on it is gone. Whoever has files open there must have ended.</summary>
    public void Dispose() => Remove(Folder);

    private static void Remove(string folder)
    {
        Tools.Run("umount", folder);
        Directory.Delete(folder);
    }

    private static string? Try()
    {
        if (!OperatingSystem.IsLinux() || !Tools.IsThere("mount"))
            return "There is no program mount here.";
        foreach (var folder in Directory.EnumerateDirectories(Path.GetTempPath(), Prefix + "*").Where(folder => !Tools.IsAlive(Path.GetFileName(folder).Split('-')[1])))
        {
            // Of a run that was ended before it could. One that somebody else is removing, or that is in use, is let be.
            if (Tools.Fails(null, "umount", folder) is null)
                Directory.Delete(folder);
        }

        try
        {
            new SmallDisk(1).Dispose();
            return null;
        }
        catch (InvalidOperationException failure)
        {
            return failure.Message;
        }
    }
}
