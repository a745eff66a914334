using System.Security.Cryptography;
using VmoCluster.Core.Store;

namespace VmoCluster.Hosting.Ownership;

/// <summary>
/// Nonces of activations: they name blobs, so no two activations of a VMO may ever have the same one, or one would write over what the
/// other's slots name.
/// <para>
/// The upper 20 bits are the epoch's. Every take-over raises the epoch by one, by compare-and-set, and a release keeps it: no epoch is ever
/// given to two activations, so two nonces of a VMO can only be equal when 2^20 take-overs lie between them (one every minute for two
/// years); and then only with a chance of 1 in 4095, by the lower 12 bits. Those are random for the other case: a Redis that lost its last
/// second gives the same epoch once more, while a blob of the activation that had it before may still be on its way.
/// </para>
/// </summary>
internal static class Nonces
{
    /// <summary>A nonce for the activation that gets this epoch. Never 0: that is nobody's.</summary>
    public static uint For(ulong epoch) =>
        (uint)(epoch << Owner.ChanceBits) | (uint)RandomNumberGenerator.GetInt32(1, 1 << Owner.ChanceBits);

    /// <summary>The owner that follows.</summary>
    public static Owner After(Owner found, ulong session) => found.Next(session, For(found.Epoch + 1));
}
