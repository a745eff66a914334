using Grpc.Core;
using Microsoft.AspNetCore.Builder;

namespace VmoCluster.GrpcDoor;

/// <summary>
/// A message that is no protobuf message, or cut short, fails before any of our code sees it, and gRPC answers UNKNOWN. Everything that our
/// code sees ends in a status of ours; so an answer of UNKNOWN that has not left yet is the caller's bytes, and is told as InvalidArgs.
/// </summary>
internal static class UnreadableRequests
{
    private static readonly Outcome Unreadable = new(VmoStatus.InvalidArgs, "the message cannot be read: truncated, or not of this call's type");

    public static void Refuse(IEndpointConventionBuilder endpoints) => endpoints.Add(endpoint =>
    {
        if (endpoint.RequestDelegate is not { } handle)
            return;
        endpoint.RequestDelegate = async context =>
        {
            await handle(context);
            if (!context.Response.HasStarted && context.Response.Headers["grpc-status"] == ((int)StatusCode.Unknown).ToString())
                Refusal.Write(context.Response, Unreadable);
        };
    });
}
