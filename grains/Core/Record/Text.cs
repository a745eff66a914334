using System.Text;

namespace VmoCluster.Core.Record;

/// <summary>Rules for text that people give things.</summary>
public static class Text
{
    /// <summary>Bytes in UTF-8; null if the text has no UTF-8 (lone surrogates).</summary>
    public static int? Utf8Bytes(string text)
    {
        var bytes = 0;
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf16(rest, out var rune, out var taken) != System.Buffers.OperationStatus.Done)
                return null;
            bytes += rune.Utf8SequenceLength;
            rest = rest[taken..];
        }

        return bytes;
    }

    /// <summary>No control characters: a name is shown on one line.</summary>
    public static bool IsClean(string text) => !text.Any(char.IsControl);

    /// <summary>
    /// A VMO's name: cut to 31 bytes of UTF-8 at a character's border (E18 cuts at 31 bytes). Control characters and what is no UTF-8 are InvalidArgs.
    /// </summary>
    public static Outcome TryName(string text, out string name)
    {
        name = "";
        if (Utf8Bytes(text) is null)
            return new(VmoStatus.InvalidArgs, "the name is not valid UTF-8");
        if (!IsClean(text))
            return new(VmoStatus.InvalidArgs, "the name has a control character (a newline, say); names are shown on one line");
        var bytes = 0;
        var length = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (bytes + rune.Utf8SequenceLength > Limits.NameBytesMax)
                break;
            bytes += rune.Utf8SequenceLength;
            length += rune.Utf16SequenceLength;
        }

        name = text[..length];
        return Outcome.Ok;
    }
}
