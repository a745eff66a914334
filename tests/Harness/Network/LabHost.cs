using System.ComponentModel;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VmoCluster.Harness;

/// <summary>A participant of a <see cref="NetworkLab"/>: a network namespace with an address of its own.</summary>
public sealed class LabHost
{
    private const int NetworkNamespace = 0x4000_0000;

    internal LabHost(string name, string @namespace, IPAddress address) => (Name, Namespace, Address) = (name, @namespace, address);

    public string Name { get; }

    /// <summary>Where it is reached by the lab's other participants, and by nobody else.</summary>
    public IPAddress Address { get; }

    internal string Namespace { get; }

    internal string NamespaceFile => $"/run/netns/{Namespace}";

    /// <summary>A TCP socket of this process that lives in this participant: it binds to its addresses and its connections meet its faults.</summary>
    public Socket NewSocket()
    {
        Socket? socket = null;
        Exception? failure = null;

        // A thread is in a namespace, a process only by its threads; this one is not used again. A socket stays where it was made.
        var thread = new Thread(() =>
        {
            try
            {
                using var file = File.OpenHandle(NamespaceFile);
                if (Enter(file, NetworkNamespace) != 0)
                    throw new Win32Exception(Marshal.GetLastPInvokeError(), $"{NamespaceFile} could not be entered");
                socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            }
            catch (Exception error)
            {
                // Thrown where it is waited for.
                failure = error;
            }
        });
        thread.Start();
        thread.Join();
        return socket ?? throw new InvalidOperationException($"No socket in {Name}: {failure!.Message}", failure);
    }

    public override string ToString() => $"{Name} ({Address})";

    [DllImport("libc", EntryPoint = "setns", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Enter(SafeFileHandle file, int kind);
}
