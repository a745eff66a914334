using System.Diagnostics.Metrics;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor;

/// <summary>What the door measures, as the other doors do. Tags are names of commands and errors; nothing of a handle.</summary>
internal static class NbdTelemetry
{
    private static readonly Counter<long> Calls = Telemetry.Meter.CreateCounter<long>("vmo.door.calls", "{call}", "Calls through a front door, by how they ended.");
    private static readonly KeyValuePair<string, object?> Door = new("vmo.door", "nbd");

    /// <summary>A request was answered.</summary>
    public static void Count(NbdCommand command, NbdError error)
    {
        if (Calls.Enabled)
            Calls.Add(1, Door, new("vmo.call", NameOf(command)), new("vmo.status", NameOf(error)));
    }

    /// <summary>A connection was closed at once, as there were too many.</summary>
    public static void CountRefusedConnection() => Calls.Add(1, Door, new("vmo.call", "connect"), new("vmo.status", "ECONNREFUSED"));

    /// <summary>A connection was ended, as its client took nothing of what others waited for the room of.</summary>
    public static void CountStalledConnection() => Calls.Add(1, Door, new("vmo.call", "connect"), new("vmo.status", "ETIMEDOUT"));

    private static string NameOf(NbdCommand command) => command switch
    {
        NbdCommand.Read => "read",
        NbdCommand.Write => "write",
        NbdCommand.Flush => "flush",
        NbdCommand.Trim => "trim",
        NbdCommand.Cache => "cache",
        NbdCommand.WriteZeroes => "write-zeroes",
        NbdCommand.BlockStatus => "block-status",
        _ => "unknown",
    };

    // errno's names, as its clients are told.
    private static string NameOf(NbdError error) => error switch
    {
        NbdError.None => "OK",
        NbdError.NotPermitted => "EPERM",
        NbdError.Io => "EIO",
        NbdError.Invalid => "EINVAL",
        NbdError.NoSpace => "ENOSPC",
        NbdError.Overflow => "EOVERFLOW",
        NbdError.NotSupported => "ENOTSUP",
        _ => "ESHUTDOWN",
    };
}
