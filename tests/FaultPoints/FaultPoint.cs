using System.Globalization;
using System.Runtime.InteropServices;

namespace VmoCluster.FaultPoints;

/// <summary>
/// The place at which this process dies by its own hand, as if somebody had sent SIGKILL just then: nothing is flushed, answered or said to anybody.
/// A place is a name, and how often it is to be passed: <c>unlink.before:2</c> is before the second unlinking. Counting begins when the node has started.
/// </summary>
public static class FaultPoint
{
    /// <summary>The variable that names it.</summary>
    public const string Variable = "VMO_FAULT_POINT";

    private const int SigKill = 9;

    private static string _name = "";
    private static long _left = long.MaxValue;
    private static volatile bool _isArmed;

    /// <summary>
    /// Every place there is. Before: nothing of it is done. Sent: it is on its way, and nobody has heard what became of it. After: it is done and nobody was told.
    /// </summary>
    public static IReadOnlyList<string> All { get; } =
    [
        .. Names.SelectMany(name => new[] { name + ".before", name + ".after" }).Select(name => name.StartsWith("renew", StringComparison.Ordinal) ? name + ":3" : name),
        "child.before:3", "commit.write.sent", "commit.dying.sent", "commit.clone.sent", "commit.freeze.sent", "letter.read",
    ];

    /// <summary>
    /// One place in each step. Where a step begins when the one before is done, dying before it leaves the store as dying after that one does: those are
    /// not among these, unless nothing is before.
    /// </summary>
    public static IReadOnlyList<string> Steps { get; } =
    [
        .. All.Where(place => (place.Contains(".after", StringComparison.Ordinal) || place.Contains(".sent", StringComparison.Ordinal)) && !OfPins(place)),
        "create.before", "child.before:3", "release.before", "renew.before:3", "letter.read",
    ];

    // Nobody waits for these: what they lead to is tried again, or given up.
    private static bool OfPins(string place) => place.Contains("pin", StringComparison.Ordinal) || place.Contains("alone", StringComparison.Ordinal);

    // commit.clone decides a clone call, commit.top makes the next top, commit.freeze is a snapshot's instant, commit.cloned strikes the call off.
    private static IEnumerable<string> Names =>
    [
        "create", "child", "acquire", "release", "commit.write", "commit.clone", "commit.top", "commit.freeze", "commit.cloned", "commit.hold", "commit.handle", "commit.kin", "commit.ghost", "commit.dying",
        "commit.fold", "commit.past", "commit.absorb", "commit.turn", "commit.told",
        "unlink", "drop", "erase", "tell.rehome", "tell.usergone", "tell.alone", "tell.reparent", "tell.aliasfence", "tell.pin", "tell.ispinned", "tell.unpin", "forward", "grant", "recall", "note", "clear", "renew", "letter.done",
    ];

    private static HashSet<string> Known { get; } = [.. All.Select(place => place.Split(':')[0])];

    /// <summary>Takes the place from the environment.</summary>
    public static void Read()
    {
        var parts = (Environment.GetEnvironmentVariable(Variable) ?? "").Split(':');
        (_name, _left) = (parts[0], parts.Length > 1 ? long.Parse(parts[1], CultureInfo.InvariantCulture) : 1);
    }

    /// <summary>From here on places count.</summary>
    public static void Arm() => _isArmed = true;

    /// <summary>A place is passed.</summary>
    public static void Pass(string name)
    {
        // A new step of a protocol wants its place in the list, or nobody would ever die there.
        if (!name.EndsWith(".sent", StringComparison.Ordinal) && !Known.Contains(name))
            Environment.FailFast($"{name} is not in the list of places");
        if (!_isArmed || name != _name || Interlocked.Decrement(ref _left) > 0)
            return;
        if (SendSignal(Environment.ProcessId, SigKill) != 0)
            Environment.FailFast("this process cannot kill itself");

        // It comes at once, but to the whole process: this thread must do nothing more until it is there.
        Thread.Sleep(Timeout.Infinite);
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignal(int process, int signal);
}
