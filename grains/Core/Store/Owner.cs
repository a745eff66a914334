using System.Globalization;

namespace VmoCluster.Core.Store;

/// <summary>
/// Who may change a VMO: a silo's session, the epoch, and a nonce of that activation. Stored in the record's <c>owner</c> field; each
/// script that changes anything compares it. A released VMO keeps its epoch with session 0, and a nonce where something may be left of it.
/// </summary>
public readonly record struct Owner(ulong Session, ulong Epoch, uint Nonce)
{
    /// <summary>Bits of a nonce that are chance; the 20 above them are the epoch's.</summary>
    public const int ChanceBits = 12;

    private const uint EpochsMask = uint.MaxValue >> ChanceBits;

    /// <summary>Whether an owner's nonce is of a later epoch than another's, of the same VMO and within 2^19 take-overs.</summary>
    public static bool IsLater(uint nonce, uint than) => (((nonce >> ChanceBits) - (than >> ChanceBits)) & EpochsMask) is > 0 and <= EpochsMask / 2;

    /// <summary>Whether nobody owns the VMO at present.</summary>
    public bool IsReleased => Session == 0;

    /// <summary>Whether it was given up whole: neither this owner nor one before may have left blobs whose names stand nowhere.</summary>
    public bool HasLeftNothing => IsReleased && Nonce == 0;

    /// <summary>The next owner: a higher epoch, and a nonce never used with this VMO before.</summary>
    public Owner Next(ulong session, uint nonce) => new(session, Epoch + 1, nonce);

    /// <summary>What a released VMO's owner field says.</summary>
    /// <param name="leftBy">The nonce of the last owner that may have left blobs in the store whose names stand nowhere; 0: nobody has.</param>
    public Owner Released(uint leftBy) => new(0, Epoch, leftBy);

    /// <summary>As stored: session and nonce in hex, epoch in decimal.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Session:x}:{Epoch}:{Nonce:x}");

    /// <summary>Reads the stored form.</summary>
    public static Owner Parse(ReadOnlySpan<char> text)
    {
        var first = text.IndexOf(':');
        var last = text.LastIndexOf(':');
        return new(
            ulong.Parse(text[..first], NumberStyles.HexNumber, CultureInfo.InvariantCulture),
            ulong.Parse(text[(first + 1)..last], NumberStyles.None, CultureInfo.InvariantCulture),
            uint.Parse(text[(last + 1)..], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
    }
}
