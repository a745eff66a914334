using System.Reflection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.Serialization;
using StackExchange.Redis;
using VmoCluster.Client;
using VmoCluster.Messages;

namespace VmoCluster.OrleansClient;

/// <summary>
/// The way over Orleans, for a process inside the cluster's trust: co-hosted in a silo (then local grains are called without a network)
/// or an external Orleans client. Finds the grains; what Orleans throws becomes an outcome. The factory stays its owner's.
/// </summary>
public sealed partial class OrleansTransport : ITransport
{
    private readonly IGrainFactory _grains;
    private readonly IHost? _host;
    private readonly ILogger _log;
    private volatile bool _hasAnswered;

    /// <summary>Over a silo's own factory, or that of an Orleans client that somebody else starts and stops.</summary>
    /// <param name="grains">Finds the grains.</param>
    /// <param name="log">Hears of what a grain threw: its caller is told no more than that it did.</param>
    public OrleansTransport(IGrainFactory grains, ILogger<OrleansTransport>? log = null)
        : this(grains, log, null)
    {
    }

    // A host that was started for this transport ends with it.
    internal OrleansTransport(IGrainFactory grains, ILogger<OrleansTransport>? log, IHost? host)
    {
        ArgumentNullException.ThrowIfNull(grains);
        (_grains, _log, _host) = (grains, log ?? (ILogger)NullLogger.Instance, host);
    }

    /// <inheritdoc/>
    public bool HasAnswered => _hasAnswered;

    /// <inheritdoc/>
    public ValueTask<CreateReply> CreateAsync(CreateCall call, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(call);
        return GuardAsync(
            (Grains: _grains, call), static (on, stop) => on.Grains.GetGrain<IHandleRegistryGrain>(Placement.RegistryShard(on.call.Head.Request)).CreateAsync(on.call, stop),
            static (_, outcome) => new CreateReply { Outcome = outcome }, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<VmoReply> CallAsync(Koid koid, VmoCall call, CancellationToken cancellation) => ChangesHandles(call)
        ? GuardAsync(
            (Grains: _grains, koid, call),
            static (on, stop) => on.Grains.GetGrain<IHandleRegistryGrain>(Placement.RegistryShard(on.koid)).ChangeAsync(on.koid, on.call, stop),
            static (_, outcome) => new VmoReply { Outcome = outcome }, cancellation)
        : GuardAsync(
            (Grains: _grains, koid, call), static (on, stop) => Vmo(on.Grains, on.koid).CallAsync(on.call, stop),
            static (_, outcome) => new VmoReply { Outcome = outcome }, cancellation);

    /// <inheritdoc/>
    public ValueTask<ReadReplies> ReadAsync(Koid koid, ReadCalls reads, CancellationToken cancellation) => GuardAsync(
        (Grains: _grains, koid, reads), static (on, stop) => Vmo(on.Grains, on.koid).ReadAsync(on.reads, stop),
        static (on, outcome) => ReadReplies.Fail(outcome, on.reads.Items.Length), cancellation);

    /// <inheritdoc/>
    public ValueTask<ReadReplies> ReadPieceAsync(Koid koid, ReadPieceCall piece, CancellationToken cancellation) => GuardAsync(
        (Grains: _grains, koid, piece), static (on, stop) => Vmo(on.Grains, on.koid).ReadPieceAsync(on.piece, stop),
        static (_, outcome) => ReadReplies.Fail(outcome, 1), cancellation);

    /// <inheritdoc/>
    public ValueTask<WriteReplies> WriteAsync(Koid koid, WriteCalls writes, CancellationToken cancellation) => GuardAsync(
        (Grains: _grains, koid, writes), static (on, stop) => Vmo(on.Grains, on.koid).WriteAsync(on.writes, stop),
        static (on, outcome) => WriteReplies.Fail(outcome, on.writes.Items.Length), cancellation);

    /// <inheritdoc/>
    public ValueTask<WriteReplies> WritePieceAsync(Koid koid, WritePieceCall piece, CancellationToken cancellation) => GuardAsync(
        (Grains: _grains, koid, piece), static (on, stop) => Vmo(on.Grains, on.koid).WritePieceAsync(on.piece, stop),
        static (_, outcome) => WriteReplies.Fail(outcome, 1), cancellation);

    /// <inheritdoc/>
    public ValueTask<ListReply> ListAsync(ListCall list, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(list);
        return GuardAsync(
            (Grains: _grains, list), static (on, stop) => on.Grains.GetGrain<IHandleRegistryGrain>(Placement.RegistryShard(on.list.After)).ListAsync(on.list, stop),
            static (_, outcome) => new ListReply { Outcome = outcome }, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<ScrubReply> ScrubAsync(ScrubCall call, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(call);
        return GuardAsync(
            (Grains: _grains, call), static (on, stop) => on.Grains.GetGrain<IHandleRegistryGrain>(Placement.RegistryShard(on.call.Family)).ScrubAsync(on.call, stop),
            static (_, outcome) => new ScrubReply { Outcome = outcome }, cancellation);
    }

    /// <summary>This build's version: inside the cluster all run the same contracts, and the co-hosted door asks its own silo.</summary>
    public ValueTask<string> ServerVersionAsync(CancellationToken cancellation) => ValueTask.FromResult(
        typeof(OrleansTransport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_host is null)
            return;
        await _host.StopAsync().ConfigureAwait(false);
        _host.Dispose();
    }

    private static bool ChangesHandles(VmoCall call) =>
        call is CloneCall or DuplicateCall or ReplaceCall or CloseCall or RevokeCall or RenewCall or ConfirmCall or OperatorHandleCall;

    private static IVmoGrain Vmo(IGrainFactory grains, Koid koid) => grains.GetGrain<IVmoGrain>(Placement.VmoKey(koid));

    private async ValueTask<TReply> GuardAsync<TOn, TReply>(
        TOn on, Func<TOn, CancellationToken, ValueTask<TReply>> call, Func<TOn, Outcome, TReply> refuse, CancellationToken cancellation)
    {
        try
        {
            var reply = await call(on, cancellation).ConfigureAwait(false);
            if (!_hasAnswered)
                _hasAnswered = true;
            return reply;
        }
        catch (Exception) when (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellation);
        }
        catch (Exception failure)
        {
            // Whatever the runtime or a broken grain throws: the attempt is over, and the outcome says whether another may help.
            var outcome = ToOutcome(failure);
            if (outcome.Status == VmoStatus.Internal)
                LogBug(failure);
            else if (failure is CodecNotFoundException or RedisException or RedisCommandException)
                LogRuntimes(failure);
            return refuse(on, outcome);
        }
    }

    /// <summary>
    /// What an Orleans failure means. A time-out or a lost silo: nobody knows whether the call took effect, and its request id makes a repeat
    /// safe (Io). A full queue or gateway: it did not (ShouldWait). What a grain itself threw is a bug of ours (Internal).
    /// </summary>
    internal static Outcome ToOutcome(Exception failure) => failure switch
    {
        VmoException refused => Outcome.Of(refused),
        GatewayTooBusyException or LimitExceededException => new(VmoStatus.ShouldWait, "the silo has too much to do"),
        TimeoutException => new(VmoStatus.Io, "no answer from the silo in time"),
        SiloUnavailableException or OrleansMessageRejectionException or ClientNotAvailableException or OperationCanceledException =>
            new(VmoStatus.Io, $"the silo does not answer: {failure.GetType().Name}"),
        OrleansException or ObjectDisposedException or System.IO.IOException =>
            new(VmoStatus.Io, $"the cluster cannot be reached: {failure.GetType().Name}"),

        // Orleans says so when its client is not started, has lost all gateways, or is being stopped.
        InvalidOperationException => new(VmoStatus.Io, "the cluster's client is not connected"),

        // The runtime's own calls of Redis, as those for its table of members: those of grains end as StoreExceptions. From another silo it does not travel. Nobody knows what the call did.
        RedisException or RedisCommandException => new(VmoStatus.Io, "the silo's runtime cannot reach its table of members"),
        CodecNotFoundException => new(VmoStatus.Io, "the silo failed with something it cannot tell"),
        _ => new(VmoStatus.Internal, $"the silo failed: {failure.GetType().Name}"),
    };

    [LoggerMessage(1, LogLevel.Critical, "A grain failed by our fault")]
    private partial void LogBug(Exception failure);

    [LoggerMessage(2, LogLevel.Warning, "A call failed with what the runtime met in Redis, or with something that does not travel")]
    private partial void LogRuntimes(Exception failure);
}
