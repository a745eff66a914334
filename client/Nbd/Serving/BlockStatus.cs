using VmoCluster.NbdDoor.Disk;
using VmoCluster.NbdDoor.Handshake;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.NbdDoor.Serving;

/// <summary>What BLOCK_STATUS tells of a disk: for each context that was agreed on, stretches and what there is to say of them.</summary>
internal sealed class BlockStatus(VmoDisk disk, IReadOnlyList<MetaContext> contexts, TimeProvider time)
{
    /// <summary>Memory that one answer takes at most, by and large: what a VMO tells at a time (4,096 runs), and what is made of that.</summary>
    public const int AnswerBytes = 256 << 10;

    private const int ExtentsMost = 1024;

    // An ancestor that the handle may not see is farther up than the disk itself.
    private const uint UnseenDepth = 2;

    // When an ancestor is closed, those above it come nearer.
    private static readonly TimeSpan DepthsWithin = TimeSpan.FromSeconds(5);

    private Depths? _depths;

    /// <summary>From the request's offset on, until its end or so much, or so many stretches, are told; at least one.</summary>
    public async Task<List<(MetaContext Context, List<ToldExtent> Extents)>> TellAsync(NbdRequest request, CancellationToken cancellation)
    {
        var most = request.Flags.HasFlag(NbdCommandFlags.RequestOne) ? 1 : ExtentsMost;
        var extents = await disk.ExtentsAsync(request.Offset, request.Length, most, cancellation).ConfigureAwait(false);
        var depths = contexts.Contains(MetaContext.Depth) ? await DepthsAsync(cancellation).ConfigureAwait(false) : new Dictionary<Koid, uint>();
        return [.. contexts.Select(context => (context, Told(context, extents, depths)))];
    }

    private async Task<IReadOnlyDictionary<Koid, uint>> DepthsAsync(CancellationToken cancellation)
    {
        if (Volatile.Read(ref _depths) is { } known && time.GetElapsedTime(known.AskedAt) < DepthsWithin)
            return known.Of;
        var askedAt = time.GetTimestamp();
        var depths = await disk.DepthsAsync(cancellation).ConfigureAwait(false);
        Volatile.Write(ref _depths, new(depths, askedAt));
        return depths;
    }

    // Neighbours of one status are one; which they are depends on what is told.
    private List<ToldExtent> Told(MetaContext context, List<DiskExtent> extents, IReadOnlyDictionary<Koid, uint> depths)
    {
        const uint Hole = 1, Zero = 2;
        var told = new List<ToldExtent>();
        foreach (var extent in extents)
        {
            var status = context == MetaContext.Allocation ? (extent.IsZero ? Hole | Zero : 0)
                : extent.Owner.IsNone ? 0
                : context == MetaContext.Depth ? (extent.Owner == disk.Koid ? 1 : depths.GetValueOrDefault(extent.Owner, UnseenDepth))
                : (uint)extent.Owner.Value;
            if (told is [.., var last] && last.Status == status)
                told[^1] = last with { Length = last.Length + (uint)extent.Length };
            else
                told.Add(new((uint)extent.Length, status));
        }

        return told;
    }

    private sealed record Depths(IReadOnlyDictionary<Koid, uint> Of, long AskedAt);
}

/// <summary>A stretch, as it is told.</summary>
/// <param name="Length">Bytes.</param>
/// <param name="Status">What the context says of it.</param>
internal readonly record struct ToldExtent(uint Length, uint Status);
