using System.Buffers.Binary;
using System.IO.Hashing;

namespace VmoCluster;

/// <summary>
/// A capability: the koid of a VMO and a secret. Its text is <c>vmo_</c> and 45 characters of lower-case base32 (koid, secret, CRC-32),
/// so that typing errors are caught before anything is asked and secret scanners can match it. Prints without the secret.
/// </summary>
[GenerateSerializer, Immutable, Alias("vmo.Handle")]
public readonly record struct VmoHandle([property: Id(0)] Koid Koid, [property: Id(1)] HandleSecret Secret)
{
    /// <summary>What every handle's text begins with.</summary>
    public const string Prefix = "vmo_";

    /// <summary>Characters of a handle's text.</summary>
    public const int TextLength = 4 + 45;

    private const int Bytes = 8 + HandleSecret.Bytes + 4;
    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz234567";

    /// <summary>The text that whoever holds it can use the handle by. Treat it as a password.</summary>
    public string Reveal()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, Koid.Value);
        Secret.Write(bytes[8..]);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[24..], Crc32.HashToUInt32(bytes[..24]));
        Span<char> text = stackalloc char[TextLength];
        Prefix.CopyTo(text);
        var (at, bits, held) = (Prefix.Length, 0u, 0);
        foreach (var b in bytes)
        {
            (bits, held) = ((bits << 8) | b, held + 8);
            for (; held >= 5; held -= 5)
                text[at++] = Alphabet[(int)(bits >> (held - 5)) & 31];
        }

        text[at] = Alphabet[(int)(bits << (5 - held)) & 31];
        return new string(text);
    }

    /// <summary>Reads a handle's text. False: the prefix, length, alphabet or checksum is wrong.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out VmoHandle handle)
    {
        handle = default;
        if (text.Length != TextLength || !text.StartsWith(Prefix, StringComparison.Ordinal))
            return false;
        Span<byte> bytes = stackalloc byte[Bytes];
        var (at, bits, held) = (0, 0u, 0);
        foreach (var c in text[Prefix.Length..])
        {
            var digit = c switch { >= 'a' and <= 'z' => c - 'a', >= '2' and <= '7' => c - '2' + 26, _ => -1 };
            if (digit < 0)
                return false;
            (bits, held) = ((bits << 5) | (uint)digit, held + 5);
            if (held >= 8 && at < Bytes)
            {
                held -= 8;
                bytes[at++] = (byte)(bits >> held);
            }
        }

        // The last character carries bits beyond the 28 bytes; only zeros are ours.
        if (at != Bytes || (bits & ((1u << held) - 1)) != 0)
            return false;
        if (Crc32.HashToUInt32(bytes[..24]) != BinaryPrimitives.ReadUInt32BigEndian(bytes[24..]))
            return false;
        handle = new(new(BinaryPrimitives.ReadUInt64BigEndian(bytes)), HandleSecret.Read(bytes[8..]));
        return true;
    }

    /// <summary>Reads a handle's text, or throws BadHandle without repeating it.</summary>
    public static VmoHandle Parse(ReadOnlySpan<char> text) => TryParse(text, out var handle)
        ? handle
        : throw new VmoException(VmoStatus.BadHandle, $"not a handle: {text.Length} characters given, a handle is '{Prefix}' and 45 of a-z2-7 with a checksum");

    /// <summary>The koid and stars.</summary>
    public override string ToString() => $"{Prefix}{Koid}:***";
}
