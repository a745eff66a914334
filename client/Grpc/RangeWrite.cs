using System.Buffers;
using Google.Protobuf;
using VmoCluster.Client;

namespace VmoCluster.GrpcDoor;

/// <summary>One bulk write: gathers frames into MiBs and keeps a few of them in flight. <see cref="Written"/> counts from the begin without gaps.</summary>
internal sealed class RangeWrite(Vmo vmo, ulong offset, int callsInFlight)
{
    private readonly Queue<(byte[] Buffer, int Count, Task<ulong> Writing)> _flights = new();
    private byte[]? _buffer;
    private int _count;
    private ulong _sent;
    private bool _hasFailed;

    public ulong Written { get; private set; }
    public ulong Version { get; private set; }

    public async ValueTask ProbeAsync(CancellationToken cancellation) => Version = await vmo.WriteAsync(offset, default, cancellation);

    public async ValueTask TakeAsync(ByteString data, CancellationToken cancellation)
    {
        WireRequests.CheckMost((ulong)data.Length, Limits.MessageBytesMax, "bytes in one message");
        if (new ByteRange(offset, _sent + (ulong)(_count + data.Length)).Wraps)
            throw new VmoException(VmoStatus.OutOfRange, $"{_sent + (ulong)(_count + data.Length)} bytes at {offset} pass 2^64");
        for (var rest = data.Memory; rest.Length > 0;)
        {
            _buffer ??= ArrayPool<byte>.Shared.Rent(Limits.CallBytesMax);
            var count = Math.Min(rest.Length, Limits.CallBytesMax - _count);
            rest[..count].CopyTo(_buffer.AsMemory(_count));
            (_count, rest) = (_count + count, rest[count..]);
            if (_count == Limits.CallBytesMax)
                await SendAsync(cancellation);
        }
    }

    public async ValueTask EndAsync(CancellationToken cancellation)
    {
        if (_count > 0)
            await SendAsync(cancellation);
        while (_flights.Count > 0)
            await LandAsync();
    }

    /// <summary>Waits for what is in flight after a failure; it no longer counts once something before it failed.</summary>
    public async ValueTask SettleAsync()
    {
        while (_flights.Count > 0)
        {
            try
            {
                await LandAsync();
            }
            catch (Exception failure) when (failure is VmoException or OperationCanceledException)
            {
                // The first failure is already on its way to the caller.
            }
        }
    }

    private async ValueTask SendAsync(CancellationToken cancellation)
    {
        if (_flights.Count == callsInFlight)
            await LandAsync();
        var at = offset + _sent;
        _flights.Enqueue((_buffer!, _count, vmo.WriteAsync(at, _buffer.AsMemory(0, _count), cancellation)));
        (_buffer, _sent, _count) = (null, _sent + (ulong)_count, 0);
    }

    private async ValueTask LandAsync()
    {
        var (buffer, count, writing) = _flights.Dequeue();
        try
        {
            var version = await writing;
            if (_hasFailed)
                return;
            Written += (ulong)count;
            Version = version;
        }
        catch
        {
            _hasFailed = true;
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
