using VmoCluster.Core.Record;
using VmoCluster.Core.Tests.Sim;

namespace VmoCluster.Fsx.Targets;

/// <summary>P7 in the simulation: what is charged to all VMOs, ghosts included, against the slots that stand in the store.</summary>
internal static class CoreBooks
{
    public static string? Check(SimFamily family)
    {
        var koids = family.Store.Koids.ToList();
        var books = SimBooks.Fill(family, koids);
        var charged = koids.Aggregate(0ul, (sum, koid) => sum + books.ChargedTo(koid));
        var stored = SimBooks.StoredBytes(family);
        return charged == stored ? null : $"{charged} bytes are charged and {stored} stored\n{family.Describe()}";
    }

    public static VmoRecord RecordOf(SimFamily family, Koid koid) => VmoRecord.Decode(family.Store.LoadRecord(koid));
}
