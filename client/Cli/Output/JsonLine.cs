using System.Text.Encodings.Web;
using System.Text.Json;
using VmoCluster.Cli.Parsing;

namespace VmoCluster.Cli.Output;

/// <summary>
/// One object on one line, camelCase keys, written by hand: integers up to 2^64-1 stay integers, and nothing is reflected upon.
/// </summary>
internal static class JsonLine
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The line, with its end.</summary>
    public static byte[] Write(Action<Utf8JsonWriter> members)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Options))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    public static void WriteNames(this Utf8JsonWriter writer, string key, IEnumerable<string> names)
    {
        writer.WriteStartArray(key);
        foreach (var name in names)
            writer.WriteStringValue(name);
        writer.WriteEndArray();
    }

    public static void WriteRights(this Utf8JsonWriter writer, string key, VmoRights rights) => writer.WriteNames(key, BitNames.Rights.Of((uint)rights));

    public static void WriteSignals(this Utf8JsonWriter writer, string key, VmoSignals signals) => writer.WriteNames(key, BitNames.Signals.Of((uint)signals));

    /// <summary>A moment as ISO 8601 in UTC, null for never.</summary>
    public static void WriteMoment(this Utf8JsonWriter writer, string key, DateTimeOffset? moment)
    {
        if (moment is { } at)
            writer.WriteString(key, Moments.Print(at));
        else
            writer.WriteNull(key);
    }

    /// <summary>A range of a handle, null for all.</summary>
    public static void WriteRange(this Utf8JsonWriter writer, string key, ByteRange? range)
    {
        if (range is not { } bytes)
        {
            writer.WriteNull(key);
            return;
        }

        writer.WriteStartObject(key);
        writer.WriteNumber("offset", bytes.Offset);
        writer.WriteNumber("length", bytes.Length);
        writer.WriteEndObject();
    }

    /// <summary>Labels as one object, by key.</summary>
    public static void WriteLabels(this Utf8JsonWriter writer, string key, IReadOnlyDictionary<string, string> labels)
    {
        writer.WriteStartObject(key);
        foreach (var (label, value) in labels.OrderBy(l => l.Key, StringComparer.Ordinal))
            writer.WriteString(label, value);
        writer.WriteEndObject();
    }
}
