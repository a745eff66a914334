using VmoCluster.Core.Store;

namespace VmoCluster.Hosting.Tests.Interleaving;

/// <summary>
/// An activation, in the manner of a grain: it asks for its VMO when somebody calls and it has none, loads it, and acts until it is told to
/// give up, its session ends or it leaves. What it was told while it was loading makes it let go of what it has loaded.
/// </summary>
internal sealed class PlayedActivation(PlayedSilo silo, Koid vmo, MemoryStore store, Func<Task>? takeTime) : IOwningActivation
{
    private int _giveUps;
    private volatile Shell? _shell;

    public Koid Vmo { get; } = vmo;

    public Running? Asking { get; set; }

    public int Acquired { get; private set; }

    /// <summary>The owner it acts as at this moment; null: it answers and commits nothing.</summary>
    public Owner? Acting => _shell is { IsOver: false } shell && silo.Covers(shell.Owner.Session) ? shell.Owner : null;

    public bool HasShell => _shell is not null;

    public async Task AskAsync()
    {
        await LetGoAsync(release: false);
        var giveUps = Volatile.Read(ref _giveUps);
        try
        {
            var got = await silo.Silo.AcquireAsync(Vmo, this);
            if (got.Kind == AcquireKind.Acquired)
            {
                await LoadAsync(got.Owner, giveUps);
            }
        }
        catch (StoreException)
        {
            // Asked again when somebody calls again.
        }
    }

    public ValueTask LetGoAsync(bool release)
    {
        if (_shell is not { } shell)
        {
            return ValueTask.CompletedTask;
        }

        (shell.IsOver, _shell) = (true, null);
        return silo.Silo.Ownership.LeaveAsync(Vmo, shell.Owner, this, release ? 0 : null);
    }

    public async Task GiveUpAsync(string reason)
    {
        Interlocked.Increment(ref _giveUps);
        if (_shell is { } shell)
        {
            if (takeTime is not null)
            {
                await takeTime();
            }

            shell.IsOver = true;
        }
    }

    public Task HandOverAsync(string reason) => LetGoAsync(release: true).AsTask();

    private async Task LoadAsync(Owner owner, int giveUps)
    {
        try
        {
            await store.LoadRecordAsync(Vmo, default);
        }
        catch (StoreException)
        {
            await silo.Silo.Ownership.LeaveAsync(Vmo, owner, this, leftBy: 0);
            return;
        }

        _shell = new(owner);
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _giveUps) != giveUps)
        {
            await LetGoAsync(release: false);
            return;
        }

        Acquired++;
    }

    private sealed class Shell(Owner owner)
    {
        public volatile bool IsOver;

        public Owner Owner { get; } = owner;
    }
}
