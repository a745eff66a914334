using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// Large writes whose pieces are still coming. Staged under request id and handle; when the last piece is here the whole is one change.
/// </summary>
internal sealed class Staging(MachineState state, Action<WriteChange, WriteGroup[]> complete)
{
    private readonly Dictionary<(RequestId, HandleSecret), Whole> _wholes = [];

    /// <summary>Bytes set aside for wholes.</summary>
    public int Bytes { get; private set; }

    /// <summary>Whether a large write is being staged that a piece could belong to.</summary>
    public bool Knows(CallHead head) => _wholes.ContainsKey((head.Request, head.Secret));

    public void Add(Ticket ticket, WritePieceCall piece)
    {
        var key = (piece.Head.Request, piece.Head.Secret);
        var offset = (long)piece.Piece * Limits.MessageBytesMax;
        var expected = (int)Math.Min(Limits.MessageBytesMax, piece.Length - offset);
        if (piece.Head.Request.IsNone || piece.Length is <= 0 or > Limits.CallBytesMax || piece.Piece < 0 || expected != piece.Data.Length)
        {
            Refuse(ticket, new(VmoStatus.InvalidArgs,
                $"piece {piece.Piece} of {piece.Data.Length} bytes of a write of {piece.Length}; pieces are {Limits.MessageBytesMax} bytes but the last, of at most {Limits.CallBytesMax} in all, under a request id"));
            return;
        }

        if (!_wholes.TryGetValue(key, out var whole))
        {
            if (Bytes + piece.Length > Limits.QueueBytesPerVmoMax)
            {
                Refuse(ticket, new(VmoStatus.ShouldWait, $"{Bytes} bytes of large writes wait for their pieces, at most {Limits.QueueBytesPerVmoMax}", 20));
                return;
            }

            _wholes.Add(key, whole = new(piece.Head, piece.Offset, piece.Length, state.Now.MonotonicMs + Math.Clamp(piece.Head.DeadlineMs, 1, Limits.DeadlineMaxMs)));
            Bytes += piece.Length;
        }

        if (whole.Offset != piece.Offset || whole.Data.Length != piece.Length)
        {
            Refuse(ticket, new(VmoStatus.InvalidArgs, "a piece's request id was used for another write"));
            return;
        }

        piece.Data.CopyTo(whole.Data, (int)offset);
        whole.Arrived |= 1u << piece.Piece;
        whole.Tickets.Add(ticket);
        var pieces = (piece.Length + Limits.MessageBytesMax - 1) / Limits.MessageBytesMax;
        if (whole.Arrived != (1u << pieces) - 1)
            return;
        Drop(key, whole);
        var change = new WriteChange(whole.Head, whole.Offset, whole.Data, state.Now) { Digest = Digests.Of(whole.Offset, whole.Data), Bytes = whole.Data.Length };
        complete(change, [.. whole.Tickets.Select(waiting => new WriteGroup(waiting, 1))]);
    }

    /// <summary>Lets go of wholes whose pieces did not come in time.</summary>
    public void Tick()
    {
        foreach (var (key, whole) in _wholes.Where(whole => whole.Value.UntilMs <= state.Now.MonotonicMs).ToList())
        {
            Drop(key, whole);
            foreach (var ticket in whole.Tickets)
                Refuse(ticket, new(VmoStatus.TimedOut, $"not all pieces of a write of {whole.Data.Length} bytes came before its deadline; nothing was written"));
        }
    }

    public void EndAll(Outcome outcome)
    {
        foreach (var ticket in _wholes.Values.SelectMany(whole => whole.Tickets))
            Refuse(ticket, outcome);
        _wholes.Clear();
        Bytes = 0;
    }

    private void Drop((RequestId, HandleSecret) key, Whole whole)
    {
        _wholes.Remove(key);
        Bytes -= whole.Data.Length;
    }

    private void Refuse(Ticket ticket, Outcome outcome) => state.Effects.Add(new Answer(ticket, WriteReplies.Fail(outcome, 1), FromMemory: true));

    private sealed class Whole(CallHead head, ulong offset, int length, long untilMs)
    {
        public CallHead Head { get; } = head;
        public ulong Offset { get; } = offset;
        public byte[] Data { get; } = new byte[length];
        public long UntilMs { get; } = untilMs;
        public uint Arrived { get; set; }
        public List<Ticket> Tickets { get; } = [];
    }
}
