using Microsoft.Extensions.Logging;
using VmoCluster.Core.Live;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;
using VmoCluster.Grains.Serving;

namespace VmoCluster.Grains;

/// <summary>What the VMO grains of a silo share.</summary>
public sealed class VmoGrainServices(
    IPageStore store, ISessionStore sessions, ISiloSession session, IOwnership ownership, PageCache cache, MapBudget maps, FrozenMaps frozen, HeldGrants held, LiveViews live, GrantHolders holders, Kin kin, KoidSource koids,
    GrainTelemetry telemetry, CallBudget calls, StoreRooms rooms, Moves moves, TimeProvider time, ILoggerFactory loggers)
{
    public IPageStore Store { get; } = store;
    public ISessionStore Sessions { get; } = sessions;
    public ISiloSession Session { get; } = session;
    public IOwnership Ownership { get; } = ownership;
    public PageCache Cache { get; } = cache;
    public MapBudget Maps { get; } = maps;
    public LiveViews Live { get; } = live;
    public GrantHolders Holders { get; } = holders;
    public Kin Kin { get; } = kin;
    public FrozenMaps Frozen { get; } = frozen;

    /// <summary>The calls under way at the silo's VMOs.</summary>
    public CallBudget Calls { get; } = calls;

    /// <summary>What is on its way to the store.</summary>
    public StoreRooms Rooms { get; } = rooms;

    /// <summary>The activations that leave for want of a store.</summary>
    public Moves Moves { get; } = moves;

    /// <summary>What the machines share.</summary>
    public SiloMemory Memory { get; } = new(cache, maps, frozen, held);
    public KoidSource Koids { get; } = koids;
    public GrainTelemetry Telemetry { get; } = telemetry;
    public TimeProvider Time { get; } = time;
    public ILogger Logger { get; } = loggers.CreateLogger("VmoCluster.Grains");

    /// <summary>Who did what to handles.</summary>
    public ILogger Audit { get; } = loggers.CreateLogger("VmoCluster.Audit");

    /// <summary>The time of a step.</summary>
    public Instant Now => new(Time.GetUtcNow().ToUnixTimeMilliseconds(), (long)Time.GetElapsedTime(0).TotalMilliseconds);
}
