using VmoCluster.Client;
using VmoCluster.Messages;

namespace VmoCluster.NbdDoor.Disk;

/// <summary>
/// A VMO as a disk of bytes, through one handle: what is written is durable when it is answered, and what is cleared shows zeros whatever lies below. Each call is tried for
/// as long as the options say. Failures are <see cref="VmoException"/>s.
/// </summary>
internal sealed class VmoDisk
{
    /// <summary>NBD's offsets are signed to many clients.</summary>
    private const ulong SizeBytesMost = long.MaxValue;

    private const int WarmBytes = 1 << 20;

    // A longer stretch of zeros is a run of its own, of which a VMO has a few; one that is no longer is told page by page.
    private const ulong ZeroBytes = 256 * Limits.PageBytes;

    // What is told of at once is looked up by the VMO in one go.
    private const ulong ExtentsBytes = 256 << 20;

    // For so long an answer tells that the handle is still one.
    private static readonly TimeSpan HeardWithin = TimeSpan.FromSeconds(5);

    private readonly Vmo _vmo;
    private readonly bool _isResizable;
    private readonly TimeProvider _time;

    // When the VMO last read or wrote, or told its size.
    private long _heardAt;

    private VmoDisk(Vmo vmo, VmoInfo info, bool isReadOnly, TimeProvider time) =>
        (_vmo, _isResizable, Name, SizeBytes, IsReadOnly, _time, _heardAt) = (vmo, info.IsResizable, info.Name ?? "", info.Size, isReadOnly, time, time.GetTimestamp());

    /// <summary>The VMO's number.</summary>
    public Koid Koid => _vmo.Koid;

    /// <summary>The VMO's name, if the handle may see it.</summary>
    public string Name { get; }

    /// <summary>Its size when it was opened.</summary>
    public ulong SizeBytes { get; }

    /// <summary>Whether the handle cannot write, or was not to.</summary>
    public bool IsReadOnly { get; }

    /// <summary>Asks what the handle opens. <see cref="VmoStatus.InvalidArgs"/>: something that is no disk.</summary>
    public static async Task<VmoDisk> OpenAsync(VmoClient client, ExportName export, NbdOptions options, CancellationToken cancellation)
    {
        var vmo = client.Open(export.Handle).WithDeadline(options.Patience);
        var info = await vmo.GetInfoAsync(cancellation: cancellation).ConfigureAwait(false);
        if (!info.Rights.HasFlag(VmoRights.Read))
            throw new VmoException(VmoStatus.AccessDenied, "the handle lacks READ");
        if (info.Size is 0 or > SizeBytesMost)
            throw new VmoException(VmoStatus.InvalidArgs, $"the VMO has {info.Size} bytes; a disk has 1 to {SizeBytesMost}");
        if (info.Range is { } part && (part.Offset > 0 || part.Length < info.Size))
            throw new VmoException(VmoStatus.InvalidArgs, $"the handle opens bytes {part.Offset} to {part.End} of {info.Size}; a disk is a whole VMO: make a slice of them");
        return new(vmo, info, export.IsReadOnly || !info.Rights.HasFlag(VmoRights.Write), options.TimeProvider);
    }

    public Task ReadAsync(ulong offset, Memory<byte> destination, CancellationToken cancellation) => HeardAsync(_vmo.ReadAsync(offset, destination, cancellation));

    /// <summary>Several small ranges at once: their bytes, one range's behind the other's.</summary>
    public Task<byte[]> ReadManyAsync(IReadOnlyList<ByteRange> ranges, CancellationToken cancellation) => HeardAsync(_vmo.ReadManyAsync(ranges, cancellation));

    /// <summary>Several small writes at once, each durable where nothing stands against it.</summary>
    public async Task<VmoException?[]> WriteManyAsync(IReadOnlyList<VmoWrite> writes)
    {
        var ends = await _vmo.WriteManyAsync(writes).ConfigureAwait(false);
        if (Array.Exists(ends, end => end is null))
            Hear();
        return ends;
    }

    /// <summary>Durable when it is done, at the cluster's level.</summary>
    public Task WriteAsync(ulong offset, ReadOnlyMemory<byte> source) => HeardAsync(_vmo.WriteAsync(offset, source));

    /// <summary>Nothing is left to be written; fails where the handle is gone. It is asked for when nothing was heard of it for a while.</summary>
    public async Task FlushAsync(CancellationToken cancellation)
    {
        if (_time.GetElapsedTime(Volatile.Read(ref _heardAt)) >= HeardWithin)
            await HeardAsync(_vmo.GetSizeAsync(cancellation)).ConfigureAwait(false);
    }


    /// <summary>Zeros, also where something lies below: a disk that shows old bytes again where it was trimmed is none.</summary>
    public async Task ZeroAsync(ulong offset, ulong length)
    {
        try
        {
            await _vmo.ZeroAsync(new(offset, length)).ConfigureAwait(false);
        }
        catch (VmoException refused) when (refused.Status == VmoStatus.NoMemory && length > ZeroBytes)
        {
            // It has as many long stretches as it can have. Trimming a file system makes more of them.
            for (var (at, end) = (offset, offset + length); at < end;)
            {
                var next = Math.Min(end, (at / ZeroBytes * ZeroBytes) + ZeroBytes);
                await _vmo.ZeroAsync(new(at, next - at)).ConfigureAwait(false);
                at = next;
            }
        }
    }

    /// <summary>As <see cref="ZeroAsync"/>; in a full store whole pages only. A hint may be heeded in part, and who trims to make room should not hear that there is none.</summary>
    public async Task TrimAsync(ulong offset, ulong length)
    {
        try
        {
            await ZeroAsync(offset, length).ConfigureAwait(false);
        }
        catch (VmoException full) when (full.Status == VmoStatus.NoSpace)
        {
            var (first, end) = ((offset + Limits.PageBytes - 1) / Limits.PageBytes * Limits.PageBytes, (offset + length) / Limits.PageBytes * Limits.PageBytes);
            if (first < end)
                await ZeroAsync(first, end - first).ConfigureAwait(false);
        }
    }

    /// <summary>Bytes of memory that <see cref="WarmAsync"/> takes.</summary>
    public static int WarmBytesOf(ulong length) => (int)Math.Min(length, WarmBytes);

    /// <summary>Reads a range for those who come after.</summary>
    public async Task WarmAsync(ulong offset, ulong length, CancellationToken cancellation)
    {
        var buffer = new byte[WarmBytesOf(length)];
        for (ulong at = 0; at < length; at += WarmBytes)
            await _vmo.ReadAsync(offset + at, buffer.AsMemory(0, (int)Math.Min(length - at, WarmBytes)), cancellation).ConfigureAwait(false);
    }

    /// <summary>What lies where, from an offset on, until the range ends or so much of it, or so many stretches, are told; at least one.</summary>
    public async Task<List<DiskExtent>> ExtentsAsync(ulong offset, ulong length, int most, CancellationToken cancellation)
    {
        length = Math.Min(length, ExtentsBytes);
        var extents = new DiskExtents(offset, length);
        var (first, end) = (offset / Limits.PageBytes * Limits.PageBytes, (offset + length + Limits.PageBytes - 1) / Limits.PageBytes * Limits.PageBytes);
        await foreach (var run in _vmo.LookupAsync(new(first, end - first), cancellation).ConfigureAwait(false))
        {
            extents.Add(run);
            if (extents.Count >= most)
                break;
        }

        if (extents.Count >= most)
            return extents.Take(most);
        // What lies behind the end of a VMO that was shrunk is not told either, and is no zeros.
        if (_isResizable && !extents.IsToldToEnd && await _vmo.GetSizeAsync(cancellation).ConfigureAwait(false) is var size && size < offset + length)
            throw new VmoException(VmoStatus.OutOfRange, $"bytes {offset} to {offset + length} were asked of, and the VMO has {size}");
        return extents.ToEnd();
    }

    /// <summary>The ancestors by how far up they are, this VMO being 1. Empty: the handle may not see its family.</summary>
    public async Task<IReadOnlyDictionary<Koid, uint>> DepthsAsync(CancellationToken cancellation)
    {
        var parents = new Dictionary<Koid, Koid>();
        try
        {
            await foreach (var node in _vmo.TreeAsync(cancellation).ConfigureAwait(false))
            {
                parents[node.Koid] = node.Parent;
                if (node.Koid == Koid)
                    break;
            }
        }
        catch (VmoException failure) when (failure.Status == VmoStatus.AccessDenied)
        {
            return new Dictionary<Koid, uint>();
        }

        var (depths, depth) = (new Dictionary<Koid, uint> { [Koid] = 1 }, 1u);
        for (var at = parents.GetValueOrDefault(Koid); !at.IsNone && depths.TryAdd(at, depth + 1); at = parents.GetValueOrDefault(at))
            depth++;
        return depths;
    }

    private async Task<T> HeardAsync<T>(Task<T> call)
    {
        var answer = await call.ConfigureAwait(false);
        Hear();
        return answer;
    }

    private void Hear() => Volatile.Write(ref _heardAt, _time.GetTimestamp());
}
