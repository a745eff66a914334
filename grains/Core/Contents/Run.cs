using VmoCluster.Core.Encoding;

namespace VmoCluster.Core.Contents;

/// <summary>
/// One state for a stretch of pages. Slots older than a run that is not committed are dead; the background rewrites their leaves and then
/// drops the run. A committed run lies under the slots: what is absent there is a committed page of zeros, the rest it leaves alone.
/// </summary>
/// <param name="Range">The pages.</param>
/// <param name="IsCommitted">A committed run, or one that clears.</param>
/// <param name="Version">The layer's seq at which it came to be.</param>
public readonly record struct Run(PageRange Range, bool IsCommitted, ulong Version)
{
    public static byte[] Encode(IReadOnlyCollection<Run> runs)
    {
        var writer = new FieldWriter(8 + (24 * runs.Count));
        writer.Byte(1);
        writer.Varint((ulong)runs.Count);
        foreach (var run in runs)
        {
            writer.Varint(run.Range.First.Value);
            writer.Varint(run.Range.Count);
            writer.Byte(run.IsCommitted ? (byte)1 : (byte)0);
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
            runs.Add(new(new(new(reader.Varint()), reader.Varint()), reader.Byte() == 1, reader.Varint()));
        return runs;
    }
}
