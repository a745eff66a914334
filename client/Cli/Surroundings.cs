using VmoCluster.Cli.Operator;
using VmoCluster.Cli.Output;
using VmoCluster.Client;

namespace VmoCluster.Cli;

/// <summary>
/// Everything a command touches outside itself: its three streams, the environment, the clock and the way to a cluster. Tests bring
/// their own.
/// </summary>
internal sealed class Surroundings
{
    public required Stream In { get; init; }
    public required Stream Out { get; init; }
    public required TextWriter Error { get; init; }

    /// <summary>Hints, progress and colour are for people: only when stderr is a terminal.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Columns of that terminal.</summary>
    public Func<int> Columns { get; init; } = () => 80;

    public Func<string, string?> Environment { get; init; } = System.Environment.GetEnvironmentVariable;
    public TimeProvider Time { get; init; } = TimeProvider.System;
    public Func<VmoClientOptions, VmoClient> Connect { get; init; } = VmoClient.Connect;

    /// <summary>Whether anything listens at an endpoint; null when it does, else why not.</summary>
    public Func<Uri, CancellationToken, Task<string?>> Probe { get; init; } = Endpoints.ProbeAsync;

    /// <summary>Where a node on this machine keeps its operator's credential; null if none is there to be seen.</summary>
    public Func<Uri, string?> OperatorPathOf { get; init; } = LocalNode.OperatorPathOf;

    /// <summary>https://no-color.org, and terminals that say they can't.</summary>
    public bool UsesColour => ErrorIsTerminal && string.IsNullOrEmpty(Environment("NO_COLOR")) && Environment("TERM") != "dumb";

    /// <summary>This process.</summary>
    public static Surroundings OfProcess() => new()
    {
        In = Console.OpenStandardInput(),
        Out = new DescriptorStream(1),
        Error = new StreamWriter(new DescriptorStream(2)) { AutoFlush = true },
        ErrorIsTerminal = !Console.IsErrorRedirected,
        Columns = () => Console.IsErrorRedirected ? 80 : Console.WindowWidth,
    };
}
