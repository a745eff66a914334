using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// Reads parts of blobs, many in flight. Neighbouring parts of one blob are asked for together; a stretch that is most of the largest
/// blob comes as a lease of the whole, which is pooled, the others in pieces too small for the large object heap.
/// </summary>
internal sealed class BlobReader(IDatabase database, StoreKeys keys)
{
    private const int PieceBytes = 16 * Limits.PageBytes;

    // Half of the largest blob: at worst as much again is read in vain.
    private const int WholeBytesLeast = Limits.BlobPagesMax * Limits.PageBytes / 2;

    // What one call keeps in flight. Replies wait in memory until their turn.
    private const int FlightBytesMax = 4 << 20;

    public async Task<bool[]> ReadAsync(IReadOnlyList<BlobRead> reads)
    {
        var found = new bool[reads.Count];
        var flight = new Queue<Stretch>();
        var inFlight = 0;
        for (var next = 0; next < reads.Count;)
        {
            var stretch = StretchFrom(reads, next);
            next += stretch.Count;
            while (flight.Count > 0 && inFlight + stretch.Bytes > FlightBytesMax)
                inFlight -= await LandAsync(flight.Dequeue(), reads, found);
            Send(stretch, reads[stretch.First]);
            flight.Enqueue(stretch);
            inFlight += stretch.Bytes;
        }

        while (flight.Count > 0)
            await LandAsync(flight.Dequeue(), reads, found);
        return found;
    }

    private static Stretch StretchFrom(IReadOnlyList<BlobRead> reads, int first)
    {
        var read = reads[first];
        var bytes = read.Destination.Length;
        var count = 1;
        while (first + count < reads.Count)
        {
            var more = reads[first + count];
            if (more.Layer != read.Layer || more.Blob != read.Blob || more.Offset != read.Offset + bytes)
                break;
            bytes += more.Destination.Length;
            count++;
        }

        return new(first, count, read.Offset, bytes);
    }

    private void Send(Stretch stretch, BlobRead first)
    {
        var key = keys.Blob(first.Layer, first.Blob);
        if (stretch.Bytes >= WholeBytesLeast)
        {
            stretch.Whole = database.StringGetLeaseAsync(key, CommandFlags.DemandMaster);
            return;
        }

        for (var done = 0; done < stretch.Bytes; done += PieceBytes)
        {
            var end = Math.Min(done + PieceBytes, stretch.Bytes);
            stretch.Pieces.Add(database.StringGetRangeAsync(key, stretch.Offset + done, stretch.Offset + end - 1, CommandFlags.DemandMaster));
        }
    }

    private static async Task<int> LandAsync(Stretch stretch, IReadOnlyList<BlobRead> reads, bool[] found)
    {
        var landing = new Landing(stretch, reads, found);
        if (stretch.Whole is not null)
        {
            using var lease = await stretch.Whole;
            if (lease is not null && lease.Length > stretch.Offset)
                landing.Take(lease.Span[stretch.Offset..Math.Min(lease.Length, stretch.Offset + stretch.Bytes)]);
        }

        foreach (var piece in stretch.Pieces)
            landing.Take(((ReadOnlyMemory<byte>)await piece).Span);
        PageStoreTelemetry.AddRead(landing.Bytes);
        return stretch.Bytes;
    }

    /// <summary>Neighbouring parts of one blob.</summary>
    private sealed class Stretch(int first, int count, int offset, int bytes)
    {
        public int First => first;

        public int Count => count;

        public int Offset => offset;

        public int Bytes => bytes;

        public Task<Lease<byte>?>? Whole { get; set; }

        public List<Task<RedisValue>> Pieces { get; } = [];
    }

    /// <summary>Spreads a stretch's bytes, as they come, over the destinations of its reads.</summary>
    private sealed class Landing(Stretch stretch, IReadOnlyList<BlobRead> reads, bool[] found)
    {
        private int _read = stretch.First;
        private int _filled;

        public long Bytes { get; private set; }

        public void Take(ReadOnlySpan<byte> bytes)
        {
            Bytes += bytes.Length;
            while (bytes.Length > 0)
            {
                var destination = reads[_read].Destination.Span[_filled..];
                var length = Math.Min(bytes.Length, destination.Length);
                bytes[..length].CopyTo(destination);
                bytes = bytes[length..];
                _filled += length;
                if (_filled == reads[_read].Destination.Length)
                {
                    found[_read++] = true;
                    _filled = 0;
                }
            }
        }
    }
}
