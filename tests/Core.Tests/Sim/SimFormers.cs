using VmoCluster.Core.Store;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>The owners before that a record remembers, as the store's scripts keep them.</summary>
public sealed class SimFormers
{
    private readonly List<uint> _nonces = [];

    /// <summary>The nonce of an epoch's owner, as a silo makes it but for the chance.</summary>
    public static uint NonceOf(ulong epoch) => (uint)(epoch << Owner.ChanceBits) | 1;

    public void Add(uint nonce)
    {
        if (nonce == 0 || (_nonces.Count > 0 && _nonces[^1] == nonce))
            return;
        _nonces.Add(nonce);
        if (_nonces.Count > StoredHash.FormersMax)
            _nonces.RemoveAt(0);
    }

    public void Clear() => _nonces.Clear();

    public uint[] ToArray() => [.. _nonces];
}
