using VmoCluster.Core.Encoding;

namespace VmoCluster.Core.Contents;

/// <summary>What a run says of its pages.</summary>
public enum RunKind : byte
{
    /// <summary>Slots older than the run are dead; the background rewrites their leaves and then drops the run.</summary>
    Clearing = 0,

    /// <summary>What is absent is a committed page of zeros.</summary>
    Committed = 1,

    /// <summary>What is absent is zero, whatever lies below.</summary>
    Zero = 2,

    /// <summary>What is absent skips the own stack and asks what lies under it.</summary>
    Through = 3,
}

/// <summary>
/// One state for a stretch of pages. A clearing run kills the slots that are older; all others lie under the slots of their layer, disjoint,
/// and speak for the pages that have none.
/// </summary>
/// <param name="Range">The pages.</param>
/// <param name="Kind">What it says.</param>
/// <param name="Version">The layer's seq at which it came to be.</param>
public readonly record struct Run(PageRange Range, RunKind Kind, ulong Version)
{
    public bool IsClearing => Kind == RunKind.Clearing;

    public bool IsCommitted => Kind == RunKind.Committed;

    public static byte[] Encode(IReadOnlyCollection<Run> runs)
    {
        var writer = new FieldWriter(8 + (24 * runs.Count));
        writer.Byte(1);
        writer.Varint((ulong)runs.Count);
        foreach (var run in runs)
        {
            writer.Varint(run.Range.First.Value);
            writer.Varint(run.Range.Count);
            writer.Byte((byte)run.Kind);
            writer.Varint(run.Version);
        }

        return writer.ToArray();
    }

    public static List<Run> Decode(ReadOnlySpan<byte> value)
    {
        var runs = new List<Run>();
        if (value.IsEmpty)
            return runs;
        var reader = new FieldReader(value);
        if (reader.Byte() is var format and not 1)
            throw new InvalidDataException($"the runs of a layer have format {format}, this is for format 1");
        for (var left = reader.Count(); left > 0; left--)
            runs.Add(new(new(new(reader.Varint()), reader.Varint()), (RunKind)reader.Byte(), reader.Varint()));
        return runs;
    }
}
