using System.Net.Sockets;

namespace VmoCluster.NbdDoor;

/// <summary>A unix socket's path before it is listened on.</summary>
internal static class UnixPath
{
    // errno of opening a socket as if it were a file, on Linux.
    private const int NoSuchDevice = 6;

    /// <summary>
    /// Sees that nothing is there. A socket that nobody listens on is what a killed process leaves, and nobody's any more: it is removed. Throws <see cref="NbdSetupException"/>: somebody
    /// listens, or something else is there.
    /// </summary>
    public static void Clear(UnixDomainSocketEndPoint where)
    {
        var path = where.ToString()!;
        if (!File.Exists(path))
            return;
        if (Listens(where))
            throw new NbdSetupException($"unix:{path}: another process listens there; stop it, or name another path");
        if (!IsSocket(path))
            throw new NbdSetupException($"unix:{path}: something is there that is no socket; remove it, or name another path");
        File.Delete(path);
    }

    private static bool Listens(UnixDomainSocketEndPoint where)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(where);
            return true;
        }
        catch (SocketException failure) when (failure.SocketErrorCode == SocketError.ConnectionRefused)
        {
            return false;
        }
        catch (SocketException failure)
        {
            throw new NbdSetupException($"{where}: {failure.Message}", failure);
        }
    }

    private static bool IsSocket(string path)
    {
        try
        {
            File.OpenHandle(path).Dispose();
            return false;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return failure.HResult == NoSuchDevice;
        }
    }
}
