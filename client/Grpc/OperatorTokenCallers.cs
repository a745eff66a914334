using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace VmoCluster.GrpcDoor;

/// <summary>
/// The callers of a node that listens on loopback only: nobody in particular without a credential, the operator with the node's own. A wrong
/// credential is refused rather than ignored, so that nobody works on as somebody else than they think.
/// </summary>
internal sealed class OperatorTokenCallers : ICallerSource
{
    private const string Scheme = "Bearer ";

    // Hashes have one length, so that comparing them tells nothing of the token's.
    private readonly byte[]? _hash;

    public OperatorTokenCallers(VmoDoorOptions options) =>
        _hash = options.OperatorToken is { Length: > 0 } token ? SHA256.HashData(Encoding.UTF8.GetBytes(token)) : null;

    public CallerProof Prove(HttpContext context)
    {
        var given = context.Request.Headers.Authorization;
        if (StringValues.IsNullOrEmpty(given))
            return new(Outcome.Ok, Caller.Anonymous);
        var text = given.ToString();
        if (!text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return Refused("the authorization given is not a bearer token");
        if (_hash is null)
            return Refused("a bearer token is given, but this node has no operator's credential");
        return CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(text[Scheme.Length..])), _hash)
            ? new(Outcome.Ok, Caller.Operator)
            : Refused("the bearer token given is not this node's operator's credential");
    }

    private static CallerProof Refused(string why) => new(new(VmoStatus.AccessDenied, why), Caller.Anonymous);
}
