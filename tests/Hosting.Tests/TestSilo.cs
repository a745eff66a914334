using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using VmoCluster.Core.Store;
using VmoCluster.Hosting.Ownership;
using VmoCluster.Hosting.Sessions;

namespace VmoCluster.Hosting.Tests;

/// <summary>One silo's sessions and ownership over a store, with a clock of its own; nothing runs but what a test takes a step of.</summary>
internal sealed class TestSilo
{
    public TestSilo(MemoryStore store, bool isStoreOurs = false, Func<ILetterDuty, ILetterDuty>? duty = null)
    {
        Session = new(Clock);
        Ownership = new(store, store, Session, new(store, Clock), Clock, NullLogger<SiloOwnership>.Instance);
        Keeper = new(store, Session, duty?.Invoke(Ownership) ?? Ownership, Holdings, new("test", isStoreOurs), Clock, NullLogger<SessionKeeper>.Instance);
        Serving = new(Session, SiloAddress.New(IPAddress.Loopback, 1, 1));
        Watch = new(store, Session, Serving, Clock, NullLogger<SessionWatch>.Instance);
    }

    public FakeTimeProvider Clock { get; } = new();

    public SiloSession Session { get; }

    public SiloOwnership Ownership { get; }

    public CountedHoldings Holdings { get; } = new();

    public SessionKeeper Keeper { get; }

    public ServingSilos Serving { get; }

    public SessionWatch Watch { get; }

    public static async Task<TestSilo> StartAsync(MemoryStore store, bool isStoreOurs = false, Func<ILetterDuty, ILetterDuty>? duty = null)
    {
        var silo = new TestSilo(store, isStoreOurs, duty);

        // A keeper that has no session opens one. It is not started: the test takes its turns.
        await silo.Keeper.TurnAsync(default);
        return silo;
    }

    public Task<TimeSpan> RenewAsync() => Keeper.TurnAsync(default);

    public bool IsValid => Session.IsValid(Session.Id);

    public ValueTask<Acquisition> AcquireAsync(Koid vmo, IOwningActivation activation) => Ownership.AcquireAsync(vmo, activation, default);
}

/// <summary>Counts how often all was forgotten.</summary>
internal sealed class CountedHoldings : IStoreHoldings
{
    public int Forgotten { get; private set; }

    public void Forget() => Forgotten++;
}

/// <summary>An activation that notes when it was told to give up, and does so when the test lets it.</summary>
internal sealed class TestActivation : IOwningActivation
{
    public TaskCompletionSource? Hold { get; init; }

    public int GiveUps { get; private set; }

    public bool HasGivenUp { get; private set; }

    public int HandOvers { get; private set; }

    public async Task GiveUpAsync(string reason)
    {
        GiveUps++;
        if (Hold is not null)
        {
            await Hold.Task;
        }

        HasGivenUp = true;
    }

    public async Task HandOverAsync(string reason)
    {
        HandOvers++;
        if (Hold is not null)
        {
            await Hold.Task;
        }
    }
}
