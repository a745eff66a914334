using Orleans.Concurrency;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;
using VmoCluster.Grains.Families;
using VmoCluster.Grains.Serving;
using VmoCluster.Messages;

namespace VmoCluster.Grains;

/// <summary>
/// Issues and ends handles. It decides what needs no state, audits, and hands on to the VMO, whose own queue makes the decision durable. It
/// keeps nothing.
/// </summary>
[GrainType("handle-registry"), Reentrant, OnServingSilos]
public sealed class HandleRegistryGrain(VmoGrainServices services) : Grain, IHandleRegistryGrain
{
    /// <inheritdoc/>
    public async ValueTask<CreateReply> CreateAsync(CreateCall create, CancellationToken cancellation)
    {
        var outcome = VmoCreation.Check(create);
        if (!outcome.IsOk)
            return new() { Outcome = outcome };
        if (Lineage is not { } lineage)
            return new() { Outcome = NoSession() };
        try
        {
            var koid = await services.Koids.TakeAsync(cancellation);
            if (!create.Head.Request.IsNone)
                koid = await services.Store.BindRequestAsync(create.Head.Request, koid, cancellation);
            var reply = await GrainFactory.GetGrain<IVmoGrain>(Placement.VmoKey(koid)).CreateAsync(create with { Lineage = lineage }, cancellation);
            Audit("create", koid, create.Head.Caller, reply.Outcome.Status);
            return reply;
        }
        catch (StoreException exception)
        {
            return new() { Outcome = Refused(exception) };
        }
    }

    /// <inheritdoc/>
    public async ValueTask<VmoReply> ChangeAsync(Koid koid, VmoCall call, CancellationToken cancellation)
    {
        if (call is not (DuplicateCall or ReplaceCall or CloseCall or RevokeCall or RenewCall or ConfirmCall or OperatorHandleCall or CloneCall))
            return VmoReply.Fail(VmoStatus.InvalidArgs, $"{CallNames.Of(call)} is no change of handles");
        if (koid.IsNone)
            return VmoReply.Fail(VmoStatus.BadHandle, "no such handle: koid 0 names nothing");
        if (call is OperatorHandleCall && call.Head.Caller is not { IsOperator: true })
        {
            Audit(CallNames.Of(call), koid, call.Head.Caller, VmoStatus.AccessDenied);
            return VmoReply.Fail(VmoStatus.AccessDenied, "only the operator may make a handle out of a koid");
        }

        if (call is CloneCall clone)
        {
            if (Lineage is not { } lineage)
                return new() { Outcome = NoSession() };
            try
            {
                // A repeat takes koids in vain: the VMO remembers those of the first time.
                call = clone with { First = await services.Koids.TakeRowAsync(Math.Clamp(clone.Count, 1, Limits.CloneCountMax), cancellation), Lineage = lineage };
            }
            catch (StoreException exception)
            {
                return new() { Outcome = Refused(exception) };
            }
        }

        var reply = await GrainFactory.GetGrain<IVmoGrain>(Placement.VmoKey(koid)).CallAsync(call, cancellation);
        if (call is not ConfirmCall)
            Audit(CallNames.Of(call), koid, call.Head.Caller, reply.Outcome.Status);
        return reply;
    }

    /// <inheritdoc/>
    public async ValueTask<ListReply> ListAsync(ListCall list, CancellationToken cancellation)
    {
        if (list.Caller is not { IsOperator: true })
            return new() { Outcome = new(VmoStatus.AccessDenied, "only the operator may list VMOs; give the operator's credential") };
        if (list.Most is < 1 or > 1000)
            return new() { Outcome = new(VmoStatus.OutOfRange, $"{list.Most} VMOs asked for at once; 1 to 1000") };
        try
        {
            return await new VmoListing(services.Store).FindAsync(list, cancellation);
        }
        catch (StoreException exception)
        {
            return new() { Outcome = Refused(exception) };
        }
    }

    /// <inheritdoc/>
    public async ValueTask<ScrubReply> ScrubAsync(ScrubCall scrub, CancellationToken cancellation)
    {
        if (scrub.Caller is not { IsOperator: true })
            return new() { Outcome = new(VmoStatus.AccessDenied, "only the operator may scrub; give the operator's credential") };
        try
        {
            return await new Scrub(services.Store, services.Sessions, services.Time, scrub, cancellation).NextAsync();
        }
        catch (StoreException exception)
        {
            return new() { Outcome = Refused(exception) };
        }
    }

    // Read before koids are taken: they are of this lineage, or of a later one, and then the VMO refuses them.
    private long? Lineage => services.Session.LineageOf(services.Session.Id);

    private Outcome NoSession()
    {
        Move();
        return services.Sessions.Condition is { Refusal: { } refusal }
            ? new(VmoStatus.Io, refusal, 200)
            : services.Sessions.Condition.IsReachable
                ? new(VmoStatus.ShouldWait, "the silo has no session at present", 200)
                : new(VmoStatus.Io, "the store does not answer, or takes no writes, and this silo's lease is over until it does", 200);
    }

    private Outcome Refused(StoreException exception)
    {
        Move();
        return new(exception.Status, exception.Message, 200);
    }

    // A caller's shard stays the same: on a silo that alone has no store it would be refused for as long as that lasts.
    private void Move()
    {
        if (services.Moves.TryBegin())
            this.MigrateOnIdle();
    }

    private void Audit(string call, Koid koid, Caller? caller, VmoStatus status)
    {
        caller ??= Caller.Anonymous;
        GrainLog.Audit(services.Audit, call, koid.Value, caller.Tenant, caller.Subject, status);
    }
}
