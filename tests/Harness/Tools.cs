using System.Diagnostics;
using System.Globalization;

namespace VmoCluster.Harness;

/// <summary>Programs of the machine that the harness runs to the end, and what it names its leavings by.</summary>
internal static class Tools
{
    /// <summary>Whose the thing is: this process, told from an earlier one with its id by when it began.</summary>
    public static string Owner { get; } = OwnerOf(Environment.ProcessId) ?? Environment.ProcessId.ToString(CultureInfo.InvariantCulture);

    /// <summary>Whether PATH has it.</summary>
    public static bool IsThere(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Append("/sbin").Any(folder => File.Exists(Path.Combine(folder, program)));

    /// <summary>Whether the owner that <see cref="Owner"/> once gave still runs.</summary>
    public static bool IsAlive(string owner) =>
        int.TryParse(owner.Split('_')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var process) && OwnerOf(process) == owner;

    /// <summary>Runs it; null if it went well, else what it said.</summary>
    public static string? Fails(string? input, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = ChildProcess.Start(start);
        if (input is not null)
            process.StandardInput.Write(input);
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        process.WaitForExit();
        var said = $"{output.Result}{error.Result}".Trim();
        return process.ExitCode == 0 ? null : $"{program} {string.Join(' ', arguments)}: {said} (exit {process.ExitCode})";
    }

    /// <summary>Runs it. Throws what it said if it went wrong.</summary>
    public static void Run(string program, params string[] arguments)
    {
        if (Fails(null, program, arguments) is { } said)
            throw new InvalidOperationException(said);
    }

    // Field 22 of stat: when it began, in ticks since the machine did. The name in field 2 may hold spaces, and ends with the last bracket.
    private static string? OwnerOf(int process)
    {
        try
        {
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/stat"));
            return string.Create(CultureInfo.InvariantCulture, $"{process}_{stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19]}");
        }
        catch (IOException)
        {
            return null;
        }
    }
}
