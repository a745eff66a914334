using System.IO.Hashing;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>Hashes of request bodies, by which a request id used again with another body is found out. Not secret, not against malice.</summary>
internal static class Digests
{
    public static ulong Of(ulong offset, ReadOnlySpan<byte> data) => XxHash3.HashToUInt64(data, unchecked((long)(offset * 0x9E37_79B9_7F4A_7C15) ^ data.Length));

    /// <summary>A call's body is what it asks for, without its head: a repeat may have less time left.</summary>
    /// <param name="call">The call.</param>
    /// <param name="alias">Who handed it on, in place of the secret that was made for that; None if nobody.</param>
    public static ulong Of(VmoCall call, Koid alias)
    {
        var body = call switch
        {
            SetSizeCall c => $"set-size {c.Size}",
            SetContentSizeCall c => $"set-content-size {c.Size}",
            OpRangeCall c => $"op {(uint)c.Op} {c.Range}",
            SetNameCall c => $"name {c.Name}",
            SignalCall c => $"signal {(uint)c.Clear} {(uint)c.Set}",
            DuplicateCall c => $"duplicate {(uint)c.Rights} {c.ExpiresMs} {c.Range} {c.NewSecret.Hash().A}",
            ReplaceCall c => $"replace {(uint)c.Rights} {c.NewSecret.Hash().A}",
            RenewCall c => $"renew {c.ExpiresMs}",
            OperatorHandleCall c => $"operator {c.NewSecret.Hash().A}",
            _ => call.GetType().Name,
        };
        return XxHash3.HashToUInt64(System.Text.Encoding.UTF8.GetBytes(alias.IsNone ? $"{body} {call.Head.Secret.Hash().A}" : $"{body} alias {alias}"));
    }
}
