using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace VmoCluster.Client;

/// <summary>
/// The one mapping between this product's statuses and gRPC's: a code for those who know gRPC only, and ErrorInfo with the ZX number for
/// those who know us.
/// </summary>
internal static class RpcStatus
{
    public const string Domain = "vmo";
    public const string ReasonPrefix = "ZX_ERR_";
    public const string ZxStatusKey = "zx_status";
    public const string RetryableKey = "retryable";
    public const string RetryAfterKey = "retry_after_ms";

    /// <summary>How many bytes of a WriteRange are durable though it failed.</summary>
    public const string WrittenKey = "written";

    /// <summary>The gRPC code of a status.</summary>
    public static StatusCode ToCode(VmoStatus status) => status switch
    {
        VmoStatus.Ok => StatusCode.OK,
        VmoStatus.InvalidArgs or VmoStatus.BufferTooSmall => StatusCode.InvalidArgument,
        VmoStatus.OutOfRange => StatusCode.OutOfRange,

        // Unavailable only ever means "not resizable": no repeat helps, while gRPC's UNAVAILABLE asks for one.
        VmoStatus.BadState or VmoStatus.WrongType or VmoStatus.Unavailable => StatusCode.FailedPrecondition,
        VmoStatus.NoMemory or VmoStatus.NoResources or VmoStatus.NoSpace => StatusCode.ResourceExhausted,
        VmoStatus.TimedOut => StatusCode.DeadlineExceeded,
        VmoStatus.ShouldWait => StatusCode.Unavailable,
        VmoStatus.AccessDenied => StatusCode.PermissionDenied,
        VmoStatus.BadHandle or VmoStatus.NotFound => StatusCode.NotFound,
        VmoStatus.AlreadyExists => StatusCode.AlreadyExists,
        VmoStatus.NotSupported => StatusCode.Unimplemented,
        VmoStatus.Canceled => StatusCode.Cancelled,
        VmoStatus.DataIntegrity or VmoStatus.DataLoss => StatusCode.DataLoss,
        VmoStatus.Io or VmoStatus.Internal => StatusCode.Internal,
        _ => StatusCode.Unknown,
    };

    /// <summary>A refusal as gRPC throws it.</summary>
    public static RpcException ToException(Outcome outcome, ulong? written = null)
    {
        var info = new ErrorInfo { Domain = Domain, Reason = ReasonPrefix + outcome.Status.ToZxName() };
        info.Metadata[ZxStatusKey] = ((int)outcome.Status).ToString(CultureInfo.InvariantCulture);
        info.Metadata[RetryableKey] = outcome.Status.IsRetryable() ? "true" : "false";
        if (outcome.RetryAfterMs > 0)
            info.Metadata[RetryAfterKey] = outcome.RetryAfterMs.ToString(CultureInfo.InvariantCulture);
        if (written is not null)
            info.Metadata[WrittenKey] = written.Value.ToString(CultureInfo.InvariantCulture);
        return new Google.Rpc.Status
        {
            Code = (int)ToCode(outcome.Status),
            Message = outcome.Message ?? outcome.Status.ToZxName(),
            Details = { Any.Pack(info) },
        }.ToRpcException();
    }

    /// <summary>The refusal that a VMO server sent. False: whatever this error is, no VMO server said it.</summary>
    public static bool TryRead(RpcException error, out Outcome outcome)
    {
        outcome = default;
        if (error.GetRpcStatus()?.GetDetail<ErrorInfo>() is not { Domain: Domain } info)
            return false;
        if (!info.Metadata.TryGetValue(ZxStatusKey, out var text)
            || !int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            || number >= 0)
        {
            return false;
        }

        var after = info.Metadata.TryGetValue(RetryAfterKey, out var hint)
            && int.TryParse(hint, NumberStyles.None, CultureInfo.InvariantCulture, out var ms) ? ms : 0;
        outcome = new((VmoStatus)number, error.Status.Detail, after);
        return true;
    }

    /// <summary>What an error that carries no word of ours means to the caller. Null: nobody answered, or what answered is in trouble.</summary>
    public static VmoStatus? OfForeign(StatusCode code) => code switch
    {
        StatusCode.Unauthenticated or StatusCode.PermissionDenied => VmoStatus.AccessDenied,
        StatusCode.Unimplemented => VmoStatus.NotSupported,
        StatusCode.ResourceExhausted => VmoStatus.OutOfRange,
        StatusCode.InvalidArgument => VmoStatus.InvalidArgs,
        _ => null,
    };
}
