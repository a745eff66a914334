namespace VmoCluster.Client;

/// <summary>
/// How long to rest between two attempts. Never less than the server's hint, and beyond it anything up to a ceiling that doubles from attempt
/// to attempt: the whole of it is chance, so that callers who were refused together do not come back together.
/// </summary>
internal sealed class BackOff(Random chance)
{
    private const int FirstMs = 10;
    private const int MostMs = 1000;
    private const int DoublingsMost = 7;

    /// <summary>The rest after so many attempts before this one (0: it was the first), and what the refusal said about coming back (0: nothing).</summary>
    public TimeSpan Of(int attempt, int retryAfterMs)
    {
        var ceiling = Math.Max(retryAfterMs, Math.Min(MostMs, FirstMs << Math.Min(attempt, DoublingsMost)));
        return TimeSpan.FromMilliseconds(retryAfterMs + (ceiling * chance.NextDouble()));
    }

    /// <summary>The rest of one who may not try again just now: <see cref="RetryBudget"/>.</summary>
    public TimeSpan Withheld(int retryAfterMs) => Of(DoublingsMost, Math.Max(retryAfterMs, MostMs / 10));
}
