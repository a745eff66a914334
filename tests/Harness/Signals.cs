using System.Runtime.InteropServices;

namespace VmoCluster.Harness;

/// <summary>Signals to a process, by its id.</summary>
public static class Signals
{
    public const int Interrupt = 2;
    public const int Kill = 9;
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Stop = 19;

    /// <summary>Sends one. Throws if there is no such process of ours.</summary>
    public static void Send(int process, int signal)
    {
        if (KillNative(process, signal) != 0)
        {
            throw new InvalidOperationException($"Signal {signal} could not be sent to process {process} (errno {Marshal.GetLastPInvokeError()}).");
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int KillNative(int process, int signal);
}
