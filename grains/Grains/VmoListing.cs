using System.IO.Enumeration;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Grains;

/// <summary>The operator's list, read from the store without activating anything.</summary>
internal sealed class VmoListing(IPageStore store)
{
    private const int LoadsAtOnce = 32;

    public async Task<ListReply> FindAsync(ListCall list, CancellationToken cancellation)
    {
        var found = new List<VmoInfo>();
        await foreach (var koids in store.ScanVmosAsync(list.After, cancellation))
        {
            foreach (var portion in koids.Chunk(LoadsAtOnce))
            {
                foreach (var info in await Task.WhenAll(portion.Select(koid => DescribeAsync(koid, cancellation))))
                {
                    if (info is null || !Matches(info, list))
                        continue;
                    if (found.Count == list.Most)
                        return new() { Vmos = [.. found], More = true };
                    found.Add(info);
                }
            }
        }

        return new() { Vmos = [.. found] };
    }

    private async Task<VmoInfo?> DescribeAsync(Koid koid, CancellationToken cancellation)
    {
        var record = await store.LoadRecordAsync(koid, cancellation);
        if (record.Existence != Existence.Exists)
            return null;
        var layer = await store.LoadLayerAsync(VmoMachine.TopOf(record.Hash!), VmoMachine.HeadNames, cancellation);
        var info = layer is null ? null : VmoSummary.Of(record.Hash!, layer);
        return info is not null && VmoSummary.SizedBy(record.Hash!) is { IsNone: false } target && await DescribeAsync(target, cancellation) is { } sized
            ? info with { Size = sized.Size, ContentSize = sized.ContentSize }
            : info;
    }

    private static bool Matches(VmoInfo info, ListCall list)
    {
        if (list.NameGlob is { } glob && !FileSystemName.MatchesSimpleExpression(glob, info.Name, ignoreCase: false))
            return false;
        return list.LabelKey is not { } key || (info.Labels!.TryGetValue(key, out var value) && (list.LabelValue is null || list.LabelValue == value));
    }
}
