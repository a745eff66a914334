using Grpc.Core;
using VmoCluster.OrleansClient;

namespace VmoCluster.Client.Tests;

/// <summary>Each status over the wire and back, and what those are told who know gRPC only.</summary>
public sealed class StatusMappingTests
{
    public static TheoryData<VmoStatus> Refusals => [.. Enum.GetValues<VmoStatus>().Where(status => status != VmoStatus.Ok)];

    [Theory]
    [MemberData(nameof(Refusals))]
    public void Every_refusal_comes_back_as_it_was_sent(VmoStatus status)
    {
        var outcome = new Outcome(status, $"4097 bytes at 5: {status}", 250);
        var error = RpcStatus.ToException(outcome);
        Assert.True(RpcStatus.TryRead(error, out var read));
        Assert.Equal(outcome, read);
        Assert.NotEqual(StatusCode.Unknown, error.StatusCode);
        Assert.NotEqual(StatusCode.OK, error.StatusCode);
    }

    [Theory]
    [InlineData(VmoStatus.InvalidArgs, StatusCode.InvalidArgument)]
    [InlineData(VmoStatus.BufferTooSmall, StatusCode.InvalidArgument)]
    [InlineData(VmoStatus.OutOfRange, StatusCode.OutOfRange)]
    [InlineData(VmoStatus.BadState, StatusCode.FailedPrecondition)]
    [InlineData(VmoStatus.WrongType, StatusCode.FailedPrecondition)]
    [InlineData(VmoStatus.Unavailable, StatusCode.FailedPrecondition)]
    [InlineData(VmoStatus.NoMemory, StatusCode.ResourceExhausted)]
    [InlineData(VmoStatus.NoResources, StatusCode.ResourceExhausted)]
    [InlineData(VmoStatus.NoSpace, StatusCode.ResourceExhausted)]
    [InlineData(VmoStatus.TimedOut, StatusCode.DeadlineExceeded)]
    [InlineData(VmoStatus.ShouldWait, StatusCode.Unavailable)]
    [InlineData(VmoStatus.AccessDenied, StatusCode.PermissionDenied)]
    [InlineData(VmoStatus.BadHandle, StatusCode.NotFound)]
    [InlineData(VmoStatus.NotFound, StatusCode.NotFound)]
    [InlineData(VmoStatus.AlreadyExists, StatusCode.AlreadyExists)]
    [InlineData(VmoStatus.NotSupported, StatusCode.Unimplemented)]
    [InlineData(VmoStatus.Canceled, StatusCode.Cancelled)]
    [InlineData(VmoStatus.DataIntegrity, StatusCode.DataLoss)]
    [InlineData(VmoStatus.DataLoss, StatusCode.DataLoss)]
    [InlineData(VmoStatus.Io, StatusCode.Internal)]
    [InlineData(VmoStatus.Internal, StatusCode.Internal)]
    [InlineData(VmoStatus.Ok, StatusCode.OK)]
    public void Each_status_has_its_grpc_code(VmoStatus status, StatusCode code) => Assert.Equal(code, RpcStatus.ToCode(status));

    [Fact]
    public void The_table_above_leaves_no_status_out() =>
        Assert.DoesNotContain(StatusCode.Unknown, Enum.GetValues<VmoStatus>().Select(RpcStatus.ToCode));

    [Fact]
    public void An_error_of_somebody_else_is_not_taken_for_ours()
    {
        Assert.False(RpcStatus.TryRead(new RpcException(new Status(StatusCode.OutOfRange, "a proxy's")), out _));
        var foreign = new Google.Rpc.Status { Code = 5, Details = { Google.Protobuf.WellKnownTypes.Any.Pack(new Google.Rpc.ErrorInfo { Domain = "other" }) } };
        Assert.False(RpcStatus.TryRead(foreign.ToRpcException(), out _));
        foreach (var number in new[] { "0", "7", "x", "" })
        {
            var info = new Google.Rpc.ErrorInfo { Domain = "vmo", Metadata = { ["zx_status"] = number } };
            var bent = new Google.Rpc.Status { Code = 5, Details = { Google.Protobuf.WellKnownTypes.Any.Pack(info) } };
            Assert.False(RpcStatus.TryRead(bent.ToRpcException(), out _));
        }
    }

    [Fact]
    public void What_orleans_throws_says_whether_another_attempt_may_help()
    {
        Assert.Equal(VmoStatus.Io, OrleansTransport.ToOutcome(new TimeoutException()).Status);
        Assert.Equal(VmoStatus.Io, OrleansTransport.ToOutcome(new SiloUnavailableException()).Status);
        Assert.Equal(VmoStatus.Io, OrleansTransport.ToOutcome(new OperationCanceledException()).Status);
        Assert.Equal(VmoStatus.Io, OrleansTransport.ToOutcome(new ObjectDisposedException("client")).Status);
        Assert.Equal(VmoStatus.ShouldWait, OrleansTransport.ToOutcome(new GatewayTooBusyException()).Status);
        Assert.Equal(VmoStatus.ShouldWait, OrleansTransport.ToOutcome(new LimitExceededException("queue")).Status);
        Assert.Equal(VmoStatus.Internal, OrleansTransport.ToOutcome(new FormatException("an inside")).Status);
        Assert.Equal(VmoStatus.Io, OrleansTransport.ToOutcome(new StackExchange.Redis.RedisCommandException("no connection")).Status);
        Assert.Equal(VmoStatus.Io, OrleansTransport.ToOutcome(new Orleans.Serialization.CodecNotFoundException("no codec for a Redis failure")).Status);
        Assert.DoesNotContain("an inside", OrleansTransport.ToOutcome(new FormatException("an inside")).Message!, StringComparison.Ordinal);
        Assert.Equal(VmoStatus.OutOfRange, OrleansTransport.ToOutcome(new VmoException(VmoStatus.OutOfRange, "x")).Status);
    }
}
