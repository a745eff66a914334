namespace VmoCluster.Client;

/// <summary>How long to rest between two attempts.</summary>
internal static class BackOff
{
    private const int FirstMs = 10;
    private const int MostMs = 1000;

    /// <summary>The server's hint where there is one, else doubling from 10 ms to 1 s; both spread, so that refused callers do not come back as one.</summary>
    public static TimeSpan Of(int attempt, int retryAfterMs)
    {
        var spread = Random.Shared.NextDouble();
        if (retryAfterMs > 0)
            return TimeSpan.FromMilliseconds(retryAfterMs * (1 + (0.25 * spread)));
        var ceiling = Math.Min(MostMs, FirstMs << Math.Min(attempt, 10));
        return TimeSpan.FromMilliseconds(ceiling * (0.5 + (0.5 * spread)));
    }
}
