using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace VmoCluster.GrpcDoor;

/// <summary>
/// Counts the calls under way, in all and by connection. Whoever is beyond a limit, or would be served too late, is refused, his message unread,
/// and told when to come back. What frees is refused last (<see cref="CallBudget"/>).
/// </summary>
internal sealed class CallGate(VmoDoorOptions options, TimeProvider time)
{
    private const int ComeBackMs = 50;
    private readonly CallBudget _budget = new(options.CallsMax, options.CallBytesMax, time);
    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _byConnection = [];

    /// <summary>Puts the gate before the door's endpoints.</summary>
    public void Guard(IEndpointConventionBuilder endpoints) => endpoints.Add(endpoint =>
    {
        if (endpoint.RequestDelegate is not { } handle)
            return;
        endpoint.RequestDelegate = async context =>
        {
            var (call, connection) = (DoorCall.OfPath(context.Request.Path.Value), context.Connection.Id);
            var outcome = TryEnter(connection, call);
            if (!outcome.IsOk)
            {
                DoorTelemetry.End(call, DoorTelemetry.Start(call, context), outcome.Status);
                if (!call.Stays)
                    await DropAsync(context);
                Refusal.Write(context.Response, outcome);
                return;
            }

            try
            {
                await handle(context);
            }
            finally
            {
                Leave(connection, call);
            }
        };
    });

    /// <summary>What a message turns out to be beyond the one call it was let in as: joined calls, and bytes. Throws ShouldWait where there is no room.</summary>
    public void Take(in CallLoad more) => _budget.TryEnter(more).ThrowIfFailed();

    /// <summary>They have ended.</summary>
    public void GiveBack(in CallLoad more) => _budget.Leave(more);

    // A stream that is answered while its message is still coming is reset, and a client that goes on sending then loses the whole connection,
    // with every call on it. So the bytes are let go by as they come; what is longer than a message may be is not waited for.
    private static async Task DropAsync(HttpContext context)
    {
        var (reader, dropped) = (context.Request.BodyReader, 0L);
        while (dropped <= Limits.CallBytesMax)
        {
            var read = await reader.ReadAsync(context.RequestAborted);
            dropped += read.Buffer.Length;
            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                return;
        }
    }

    private Outcome TryEnter(string connection, DoorCall call)
    {
        lock (_gate)
        {
            var own = _byConnection.GetValueOrDefault(connection);
            if (own >= options.CallsPerConnectionMax)
                return new(VmoStatus.ShouldWait, $"{own} calls under way on this connection, at most {options.CallsPerConnectionMax}", ComeBackMs);
            var outcome = call.Stays ? _budget.TryPark(1) : _budget.TryEnter(LoadOf(call));
            if (outcome.IsOk)
                _byConnection[connection] = own + 1;
            return outcome;
        }
    }

    private void Leave(string connection, DoorCall call)
    {
        if (call.Stays)
            _budget.TryPark(-1);
        else
            _budget.Leave(LoadOf(call));
        lock (_gate)
        {
            if (_byConnection[connection] is var own && own > 1)
                _byConnection[connection] = own - 1;
            else
                _byConnection.Remove(connection);
        }
    }

    // Its deadline is in the message, which is not read yet.
    private static CallLoad LoadOf(DoorCall call) => new(1, 0, Limits.DeadlineDefaultMs, call.IsPreferred);
}
