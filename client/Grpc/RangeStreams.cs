using System.Buffers;
using Google.Protobuf;
using Grpc.Core;

namespace VmoCluster.GrpcDoor;

/// <summary>Bulk reads and writes over a stream: calls of 1 MiB to the VMO, two under way while a third travels, frames of 256 KiB on the wire.</summary>
internal sealed class RangeStreams(DoorClient client)
{
    private const int CallsInFlight = 2;

    /// <summary>Sends a range in order. Nothing is sent unless the whole range is inside and its first MiB could be read.</summary>
    public async ValueTask<bool> ReadAsync(
        V1.ReadRangeRequest request, IServerStreamWriter<V1.ReadRangeResponse> responses, Caller caller, CancellationToken cancellation)
    {
        var vmo = client.Open(VmoHandle.Parse(request.Head?.Handle ?? ""), caller);
        var range = WireRequests.Range(request.Range) ?? default;

        // An empty read at the begin, or the end, finds out about the handle, and the end about the range, before any byte travels.
        await vmo.ReadAsync(range.Wraps ? range.Offset : range.End, default, cancellation);
        if (range.Wraps)
            throw new VmoException(VmoStatus.OutOfRange, $"{range.Length} bytes at {range.Offset} pass 2^64");
        var reading = new Queue<(byte[] Buffer, int Length, Task<ulong> Version)>();
        try
        {
            var next = range.Offset;
            while (next < range.End || reading.Count > 0)
            {
                while (reading.Count < CallsInFlight && next < range.End)
                {
                    var length = (int)Math.Min(Limits.CallBytesMax, range.End - next);
                    var buffer = ArrayPool<byte>.Shared.Rent(length);
                    reading.Enqueue((buffer, length, vmo.ReadAsync(next, buffer.AsMemory(0, length), cancellation)));
                    next += (ulong)length;
                }

                var (bytes, count, reads) = reading.Peek();
                var version = await reads;
                for (var at = 0; at < count; at += Limits.MessageBytesMax)
                {
                    // A frame is on its way as bytes when its write returns; only then the buffer is used again.
                    var frame = bytes.AsMemory(at, Math.Min(Limits.MessageBytesMax, count - at));
                    await responses.WriteAsync(new() { Data = UnsafeByteOperations.UnsafeWrap(frame), Version = version }, cancellation);
                }

                reading.Dequeue();
                ArrayPool<byte>.Shared.Return(bytes);
            }

            return true;
        }
        finally
        {
            foreach (var (_, _, reads) in reading)
                await ((Task)reads).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Writes what comes, in order. A failure tells how many bytes from the begin are durable.</summary>
    public async ValueTask<V1.WriteRangeResponse> WriteAsync(
        IAsyncStreamReader<V1.WriteRangeRequest> requests, Caller caller, CancellationToken cancellation)
    {
        if (!await requests.MoveNext(cancellation))
            throw new VmoException(VmoStatus.InvalidArgs, "the stream ended before its first message");
        var first = requests.Current;
        var run = new RangeWrite(client.Open(VmoHandle.Parse(first.Head?.Handle ?? ""), caller), first.Offset, CallsInFlight);
        try
        {
            // Finds out about the handle also when there is nothing to write.
            await run.ProbeAsync(cancellation);
            await run.TakeAsync(first.Data, cancellation);
            while (await requests.MoveNext(cancellation))
            {
                var request = requests.Current;
                if (request.Head is not null || request.Offset != 0)
                    throw new VmoException(VmoStatus.InvalidArgs, "head and offset go with the first message only");
                await run.TakeAsync(request.Data, cancellation);
            }

            await run.EndAsync(cancellation);
            return new() { Written = run.Written, Version = run.Version };
        }
        catch (VmoException refused)
        {
            await run.SettleAsync();
            throw new RefusedRangeException(Outcome.Of(refused), run.Written);
        }
        finally
        {
            await run.SettleAsync();
        }
    }
}
