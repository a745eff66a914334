using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace VmoCluster.Hosting.Nodes;

/// <summary>
/// The operator's credential of a node: a file with one line, <c>vmoop_</c> and 256 random bits. Whoever can read the file is the operator.
/// </summary>
public static class OperatorCredential
{
    private const string Form = "vmoop_";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupWrite;

    /// <summary>
    /// Reads the credential, or makes it if the file is absent. Of several silos that share a file one makes it. Throws
    /// <see cref="StartupException"/> when the file is unreadable, empty, or open to others.
    /// </summary>
    public static string ReadOrCreate(string path)
    {
        try
        {
            if (!File.Exists(path))
            {
                Create(path);
            }

            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Others) != 0)
            {
                throw new StartupException($"{path}: others than its owner can read or change the operator's credential: chmod 600 {path}");
            }

            var token = File.ReadLines(path).FirstOrDefault()?.Trim() ?? "";
            return token.Length >= 32
                ? token
                : throw new StartupException($"{path}: this is no operator's credential (one line of at least 32 characters): remove it, and a new one is made");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"{path}: the operator's credential cannot be read or made: {failure.Message}", failure);
        }
    }

    private static void Create(string path)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
        {
            Directory.CreateDirectory(folder);
        }

        // Written whole under a name of its own and then linked into place: nobody sees half a credential, and of two who come at once the
        // second finds the first one's.
        var draft = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        using (var writer = new StreamWriter(draft, options))
        {
            writer.WriteLine(Form + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)));
        }

        try
        {
            Publish(draft, path);
        }
        finally
        {
            File.Delete(draft);
        }
    }

    // On Unix File.Move without overwriting looks first and renames then: of two at once the second replaced what the first had read already.
    private static void Publish(string draft, string path)
    {
        if (OperatingSystem.IsWindows())
        {
            try
            {
                File.Move(draft, path, overwrite: false);
            }
            catch (IOException) when (File.Exists(path))
            {
                // The first one's stands.
            }
        }
        else if (Link(draft, path) != 0 && !File.Exists(path))
        {
            throw new IOException($"{draft} cannot be linked to {path}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    [DllImport("libc", EntryPoint = "link", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Link([MarshalAs(UnmanagedType.LPUTF8Str)] string from, [MarshalAs(UnmanagedType.LPUTF8Str)] string to);
}
