namespace VmoCluster.Hosting.Tests.Interleaving;

/// <summary>
/// A silo whose keeper, watcher and activations take their steps when the scheduler says so. Its clock runs a little fast or slow, and
/// stands while it is paused; what it missed comes all at once when it goes on, as after SIGCONT.
/// </summary>
internal sealed class PlayedSilo(int number, MemoryStore store, double rate)
{
    public int Number { get; } = number;

    public TestSilo Silo { get; } = new(store);

    public bool IsPaused { get; set; }

    /// <summary>It runs, and its messages to and from the store rest.</summary>
    public bool IsCutOff { get; set; }

    /// <summary>Killed or left: nothing of it takes a step any more.</summary>
    public bool IsGone { get; set; }

    public Running? Renewal { get; set; }

    public Running? Look { get; set; }

    public List<PlayedActivation> Activations { get; } = [];

    public DateTimeOffset RenewAt { get; set; }

    public DateTimeOffset LookAt { get; set; }

    /// <summary>What its clock does not show yet.</summary>
    public TimeSpan Lag { get; private set; }

    public DateTimeOffset Now => Silo.Clock.GetUtcNow();

    public bool CanStep => !IsPaused && !IsGone;

    /// <summary>Whether what it answers now is covered by its lease; while it is paused, whether it would be if it went on this very moment.</summary>
    public bool Covers(ulong session) => !IsGone && Silo.Session.IsValid(session) && (Lag == TimeSpan.Zero || Silo.Session.Left > Lag);

    public void Advance(TimeSpan time)
    {
        Lag += time * rate;
        CatchUp();
    }

    public void CatchUp()
    {
        if (!CanStep)
        {
            return;
        }

        var lag = Lag;
        Lag = TimeSpan.Zero;
        Silo.Clock.Advance(lag);
    }

    public override string ToString() => $"silo {Number}";
}
