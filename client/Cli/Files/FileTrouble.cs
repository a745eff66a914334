using System.Runtime.InteropServices;

namespace VmoCluster.Cli.Files;

/// <summary>The one place where trouble with a local file becomes a status, and so an exit code.</summary>
internal static class FileTrouble
{
    /// <summary>The exception for an errno.</summary>
    public static VmoException Of(int error, string path) => new(StatusOf(error), $"{path}: {Marshal.GetPInvokeErrorMessage(error)}");

    /// <summary>The exception for what .NET threw.</summary>
    public static VmoException Of(Exception exception, string path) => exception switch
    {
        VmoException known => known,
        UnauthorizedAccessException => new(VmoStatus.AccessDenied, $"{path}: {Marshal.GetPInvokeErrorMessage(Native.Access)}", inner: exception),
        FileNotFoundException or DirectoryNotFoundException =>
            new(VmoStatus.NotFound, $"{path}: {Marshal.GetPInvokeErrorMessage(Native.NoEntry)}", inner: exception),
        // On Unix an IOException's HResult is the errno wherever .NET has no type of its own for it.
        IOException { HResult: > 0 and < 4096 } => new(StatusOf(exception.HResult), $"{path}: {Marshal.GetPInvokeErrorMessage(exception.HResult)}", inner: exception),
        _ => new(VmoStatus.Io, $"{path}: {exception.Message}", inner: exception),
    };

    /// <summary>Whether whoever read our output has gone away.</summary>
    public static bool IsBrokenPipe(Exception exception) => exception is IOException { HResult: Native.BrokenPipe };

    private static VmoStatus StatusOf(int error) => error switch
    {
        Native.NoEntry or Native.NotADirectory or Native.NoSuchDevice => VmoStatus.NotFound,
        Native.NotPermitted or Native.Access or Native.ReadOnlyFileSystem => VmoStatus.AccessDenied,
        Native.Exists => VmoStatus.AlreadyExists,
        Native.IsADirectory => VmoStatus.WrongType,
        Native.NoSpaceLeft or Native.QuotaExceeded => VmoStatus.NoSpace,
        Native.FileTooBig => VmoStatus.OutOfRange,
        Native.InvalidArgument => VmoStatus.InvalidArgs,
        _ => VmoStatus.Io,
    };
}
