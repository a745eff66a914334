namespace VmoCluster.Cli.Output;

/// <summary>What the process ends with: a refusal is its ZX number's absolute value; the rest has numbers of its own.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>The command makes no sense.</summary>
    public const int Usage = 64;

    /// <summary>Nothing answers at any endpoint.</summary>
    public const int NoConnection = 69;

    /// <summary>Ctrl-C, or a request to end.</summary>
    public const int Interrupted = 130;

    /// <summary>Whoever read stdout has gone away: 128 and SIGPIPE's number, as from any filter.</summary>
    public const int BrokenPipe = 141;

    public static int Of(VmoStatus status) => Math.Abs((int)status);
}
