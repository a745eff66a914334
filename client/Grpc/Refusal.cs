using Microsoft.AspNetCore.Http;
using VmoCluster.Client;

namespace VmoCluster.GrpcDoor;

/// <summary>A refusal as gRPC's answer without a message, for where gRPC itself has not begun, or has ended.</summary>
internal static class Refusal
{
    public static void Write(HttpResponse response, Outcome outcome)
    {
        var error = RpcStatus.ToException(outcome);
        response.ContentType = "application/grpc";
        response.Headers["grpc-status"] = ((int)error.StatusCode).ToString();
        response.Headers["grpc-message"] = Uri.EscapeDataString(error.Status.Detail);
        foreach (var entry in error.Trailers)
            response.Headers[entry.Key] = entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes) : entry.Value;
    }
}
