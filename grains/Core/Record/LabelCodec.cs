using VmoCluster.Core.Encoding;

namespace VmoCluster.Core.Record;

/// <summary>Labels as stored, and the rules for them.</summary>
public static class LabelCodec
{
    public static byte[] Encode(IReadOnlyDictionary<string, string> labels)
    {
        var writer = new FieldWriter(64);
        writer.Byte(1);
        writer.Varint((ulong)labels.Count);
        foreach (var (key, value) in labels.OrderBy(label => label.Key, StringComparer.Ordinal))
        {
            writer.Text(key);
            writer.Text(value);
        }

        return writer.ToArray();
    }

    public static Dictionary<string, string> Decode(ReadOnlySpan<byte> value)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        if (value.IsEmpty)
            return labels;
        var reader = new FieldReader(value);
        if (reader.Byte() is var format and not 1)
            throw new InvalidDataException($"labels have format {format}, this is for format 1");
        for (var left = reader.Count(); left > 0; left--)
            labels[reader.Text()] = reader.Text();
        return labels;
    }

    /// <summary>What stands against these labels; Ok if nothing.</summary>
    public static Outcome Check(IReadOnlyDictionary<string, string>? labels)
    {
        if (labels is null)
            return Outcome.Ok;
        if (labels.Count > Limits.LabelsMax)
            return new(VmoStatus.OutOfRange, $"{labels.Count} labels, at most {Limits.LabelsMax}");
        foreach (var (key, value) in labels)
        {
            if (key.Length == 0 || Text.Utf8Bytes(key) is not { } keyBytes || keyBytes > Limits.LabelKeyBytesMax || !Text.IsClean(key))
                return new(VmoStatus.InvalidArgs, $"a label's key is 1 to {Limits.LabelKeyBytesMax} bytes of UTF-8 without control characters");
            if (value is null || Text.Utf8Bytes(value) is not { } valueBytes || valueBytes > Limits.LabelValueBytesMax || !Text.IsClean(value))
                return new(VmoStatus.InvalidArgs, $"the value of label '{key}' is more than {Limits.LabelValueBytesMax} bytes or not clean UTF-8");
        }

        return Outcome.Ok;
    }
}
