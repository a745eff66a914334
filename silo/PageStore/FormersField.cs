using System.Globalization;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>The record's field of the owners before: a nonce each, in eight hex digits, the latest last.</summary>
internal static class FormersField
{
    public const string Name = "formers";

    private const int Digits = 8;

    /// <summary>What the script adds; empty: nothing.</summary>
    public static string Of(uint nonce) => nonce == 0 ? "" : nonce.ToString("x8", CultureInfo.InvariantCulture);

    public static IReadOnlyList<uint> Parse(string? stored, string whose)
    {
        if (string.IsNullOrEmpty(stored))
            return [];
        var nonces = new uint[stored.Length / Digits];
        for (var i = 0; i < nonces.Length; i++)
        {
            if (!uint.TryParse(stored.AsSpan(i * Digits, Digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out nonces[i]))
                throw new StoreException(VmoStatus.DataIntegrity, $"The record {whose} names owners before it as {stored}, which are no nonces.");
        }

        return nonces;
    }
}
