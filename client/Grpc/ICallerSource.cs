using Microsoft.AspNetCore.Http;

namespace VmoCluster.GrpcDoor;

/// <summary>Proves who calls, before anything of the call is looked at. One for each way of authentication.</summary>
public interface ICallerSource
{
    /// <summary>The caller of this request, or why it is refused.</summary>
    CallerProof Prove(HttpContext context);
}

/// <summary>What a door has found out about a caller.</summary>
/// <param name="Outcome">Ok, or the refusal.</param>
/// <param name="Caller">Who it is, where Ok.</param>
public readonly record struct CallerProof(Outcome Outcome, Caller Caller);
