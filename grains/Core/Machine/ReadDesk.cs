using VmoCluster.Core.Contents;
using VmoCluster.Core.Family;
using VmoCluster.Core.Handles;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// Reads. A read takes all its slots in one turn, which is its instant, then waits for bytes that are not in memory; it never looks at a slot
/// twice. A blob that has gone meanwhile makes it begin anew.
/// </summary>
internal sealed class ReadDesk(MachineState state, Loads loads, Action<HandleEntry> heard)
{
    /// <summary>Bytes of large reads kept for their other pieces, per VMO.</summary>
    private const int KeptBytesMax = Limits.QueueBytesPerVmoMax;

    private readonly Dictionary<(RequestId, HandleSecret), WholeRead> _wholes = [];
    private readonly HashSet<PendingRead> _pending = [];
    private int _keptBytes;

    /// <summary>Answers from memory alone, or not at all: the way of every warm read.</summary>
    public ReadReplies? TryNow(ReadCalls reads)
    {
        var outcome = CheckForm(reads);
        HandleEntry? handle = null;
        if (outcome.IsOk)
            outcome = Open(reads.Head, out handle);
        if (!outcome.IsOk)
            return ReadReplies.Fail(outcome, reads.Items.Length);
        var (outcomes, total) = Check(handle!, reads.Items);
        state.Sight.Begin();
        // A large read is mostly cold from its first page on: nothing is made for it in vain.
        if (total > Limits.PageBytes && outcomes is null && !IsInMemory(reads.Items[0].Offset / Limits.PageBytes))
            return null;
        var data = Room(total);
        var at = 0;
        for (var i = 0; i < reads.Items.Length; i++)
        {
            if (outcomes is not null && !outcomes[i].IsOk)
                continue;
            if (!TryCopy(reads.Items[i], data.AsSpan(at, reads.Items[i].Length)))
                return null;
            at += reads.Items[i].Length;
        }

        // What was seen through several views was so in one moment only if all of them are still valid.
        return state.Sight.IsStillSo ? new() { Outcomes = outcomes, Data = data, Version = state.Layer.Seq } : null;
    }

    /// <summary>A read that may have to wait.</summary>
    public void Read(ReadInput input)
    {
        var form = CheckForm(input.Reads);
        if (!form.IsOk)
        {
            Refuse(input.Ticket, input.Reads.Items.Length, form);
            return;
        }

        new PendingRead(this, input.Reads.Head, input.Reads.Items, reply => state.Effects.Add(new Answer(input.Ticket, reply, FromMemory: true))).Resume();
    }

    /// <summary>A piece of a large read: the first that comes reads the whole, the others take theirs from it.</summary>
    public void ReadPiece(ReadPieceInput input)
    {
        var piece = input.Piece;
        var whole = piece.Whole;
        var offset = (long)piece.Piece * Limits.MessageBytesMax;
        if (piece.Head.Request.IsNone || whole.Length is < 0 or > Limits.CallBytesMax || piece.Piece < 0 || offset >= Math.Max(whole.Length, 1))
        {
            Refuse(input.Ticket, 1, new(VmoStatus.InvalidArgs,
                $"piece {piece.Piece} of a read of {whole.Length} bytes; a read in pieces has a request id and at most {Limits.CallBytesMax} bytes"));
            return;
        }

        var key = (piece.Head.Request, piece.Head.Secret);
        if (!_wholes.TryGetValue(key, out var read))
        {
            if (_keptBytes + whole.Length > KeptBytesMax)
            {
                Refuse(input.Ticket, 1, new(VmoStatus.ShouldWait, $"{_keptBytes} bytes of large reads are under way, at most {KeptBytesMax}", 20));
                return;
            }

            _wholes.Add(key, read = new(whole, state.Now.MonotonicMs + Math.Clamp(piece.Head.DeadlineMs, 1, Limits.DeadlineMaxMs)));
            _keptBytes += whole.Length;
            read.Waiting.Add((input.Ticket, piece.Piece));
            new PendingRead(this, piece.Head, [whole], reply => Arrived(key, reply)).Resume();
            return;
        }

        if (read.Whole != whole)
            Refuse(input.Ticket, 1, new(VmoStatus.InvalidArgs, "a piece's request id was used for another read"));
        else if (read.Reply is not null)
            Serve(key, read, input.Ticket, piece.Piece);
        else
            read.Waiting.Add((input.Ticket, piece.Piece));
    }

    /// <summary>Lets go of large reads whose pieces were not fetched in time.</summary>
    public void Tick()
    {
        foreach (var (key, read) in _wholes.Where(whole => whole.Value.Reply is not null && whole.Value.UntilMs <= state.Now.MonotonicMs).ToList())
            Drop(key, read);
    }

    /// <summary>Bytes of large reads that are kept for their other pieces.</summary>
    public int KeptBytes => _keptBytes;

    /// <summary>Whether a large read is under way that a piece could belong to.</summary>
    public bool Knows(CallHead head) => _wholes.ContainsKey((head.Request, head.Secret));

    /// <summary>Whether large reads are being kept.</summary>
    public bool HasWholes => _wholes.Count > 0;

    /// <summary>Answers everything that waits.</summary>
    public void EndAll(Outcome outcome)
    {
        foreach (var pending in _pending.ToArray())
            pending.End(outcome);
        _pending.Clear();
        _wholes.Clear();
        _keptBytes = 0;
    }

    private void Arrived((RequestId, HandleSecret) key, ReadReplies reply)
    {
        if (!_wholes.TryGetValue(key, out var read))
            return;
        read.Reply = reply;
        foreach (var (ticket, piece) in read.Waiting.ToArray())
            Serve(key, read, ticket, piece);
        read.Waiting.Clear();
        if (reply.Outcomes is not null && _wholes.ContainsKey(key))
            Drop(key, read);
    }

    private void Serve((RequestId, HandleSecret) key, WholeRead read, Ticket ticket, int piece)
    {
        var reply = read.Reply!;
        if (reply.Outcomes is null)
        {
            var offset = piece * Limits.MessageBytesMax;
            var bytes = reply.Data.AsSpan(offset, Math.Min(Limits.MessageBytesMax, read.Whole.Length - offset)).ToArray();
            reply = new() { Data = bytes, Version = reply.Version };
            read.Served |= 1u << piece;
        }

        state.Effects.Add(new Answer(ticket, reply, FromMemory: true));
        var pieces = (read.Whole.Length + Limits.MessageBytesMax - 1) / Limits.MessageBytesMax;
        if (read.Served == (1u << pieces) - 1)
            Drop(key, read);
    }

    private void Drop((RequestId, HandleSecret) key, WholeRead read)
    {
        if (_wholes.Remove(key))
            _keptBytes -= read.Whole.Length;
    }

    private void Refuse(Ticket ticket, int items, Outcome outcome) => state.Effects.Add(new Answer(ticket, ReadReplies.Fail(outcome, items), FromMemory: true));

    /// <summary>What stands against joined reads before any of them is looked at.</summary>
    public static Outcome CheckForm(ReadCalls reads)
    {
        var total = 0L;
        foreach (var item in reads.Items)
        {
            if (item.Length < 0)
                return new(VmoStatus.InvalidArgs, $"a read of {item.Length} bytes");
            total += item.Length;
        }

        return reads.Items.Length > Limits.JoinCallsMax || total > Limits.MessageBytesMax
            ? new(VmoStatus.OutOfRange, $"{reads.Items.Length} reads of {total} bytes in one message; at most {Limits.JoinCallsMax} and {Limits.MessageBytesMax} bytes")
            : Outcome.Ok;
    }

    private Outcome Open(CallHead head, out HandleEntry? handle)
    {
        var outcome = Authority.Check(state.Record.Handles, head.Secret, VmoRights.Read, state.Now, out handle);
        if (handle is { ConfirmByMs: not 0 })
            heard(handle);
        return outcome;
    }

    private (Outcome[]? Outcomes, int Total) Check(HandleEntry handle, ReadItem[] items)
    {
        Outcome[]? outcomes = null;
        var total = 0;
        for (var i = 0; i < items.Length; i++)
        {
            var outcome = Authority.CheckRange(handle, new(items[i].Offset, (ulong)items[i].Length), state.Layer.Size, "read");
            if (outcome.IsOk)
                total += items[i].Length;
            else
                (outcomes ??= new Outcome[items.Length])[i] = outcome;
        }

        return (outcomes, total);
    }

    // Whoever answers with it has written all of it.
    private static byte[] Room(int bytes) => bytes == 0 ? [] : GC.AllocateUninitializedArray<byte>(bytes);

    private bool IsInMemory(ulong page) =>
        state.Layer.Map.Knows(LayerMap.ExtentOf(page)) && state.Sight.TrySee(page, out var shown) && (!shown.IsStored || state.Cache.TryGet(shown.Key, out _));

    private bool TryCopy(ReadItem item, Span<byte> destination)
    {
        var map = state.Layer.Map;
        var at = item.Offset;
        while (!destination.IsEmpty)
        {
            var page = at / Limits.PageBytes;
            var from = (int)(at % Limits.PageBytes);
            var count = Math.Min(Limits.PageBytes - from, destination.Length);
            if (!map.Knows(LayerMap.ExtentOf(page)))
                return false;
            if (!state.Sight.TrySee(page, out var shown))
                return false;
            if (!shown.IsStored)
                destination[..count].Clear();
            else if (state.Cache.TryGet(shown.Key, out var bytes))
                bytes.AsSpan(from, count).CopyTo(destination);
            else
                return false;
            destination = destination[count..];
            at += (ulong)count;
        }

        return true;
    }

    /// <summary>A large read whose pieces are being fetched.</summary>
    private sealed class WholeRead(ReadItem whole, long untilMs)
    {
        public ReadItem Whole { get; } = whole;
        public long UntilMs { get; } = untilMs;
        public ReadReplies? Reply { get; set; }
        public uint Served { get; set; }
        public List<(Ticket Ticket, int Piece)> Waiting { get; } = [];
    }

    /// <summary>One read on its way.</summary>
    private sealed class PendingRead(ReadDesk desk, CallHead head, ReadItem[] items, Action<ReadReplies> answer) : ILoadWaiter
    {
        private readonly Dictionary<PageKey, List<(int From, int Count, int At)>> _missing = [];
        private byte[] _data = [];
        private Outcome[]? _outcomes;
        private ulong _version;
        private bool _isResolved;
        private PageKey? _gone;
        private PageKey? _goneBefore;
        private Outcome _failure;
        private bool _isAnswered;

        public int LoadsPending { get; set; }

        public void End(Outcome outcome) => Answer(ReadReplies.Fail(outcome, items.Length));

        // Once only: a load that comes after the end finds nobody waiting.
        private void Answer(ReadReplies reply)
        {
            desk._pending.Remove(this);
            if (!_isAnswered)
                answer(reply);
            _isAnswered = true;
        }

        public void PageArrived(in PageKey key, byte[]? page)
        {
            if (page is null)
            {
                _gone = key;
                return;
            }

            foreach (var (from, count, at) in _missing[key])
                page.AsSpan(from, count).CopyTo(_data.AsSpan(at));
        }

        public void LoadFailed(Outcome outcome) => _failure = outcome;

        public void Resume()
        {
            if (!_failure.IsOk)
            {
                Answer(ReadReplies.Fail(_failure, items.Length));
                return;
            }

            if (_gone is { } gone)
            {
                // A blob is unlinked only after the slots that named it were replaced. The same slot twice means that it is lost.
                if (_goneBefore == gone)
                {
                    Answer(ReadReplies.Fail(new(VmoStatus.DataLoss, $"a stored page of VMO {gone.Layer.Home} (blob {gone.Blob}, page {gone.Index}) is missing"), items.Length));
                    return;
                }

                desk.ForgetBelow(gone);
                (_goneBefore, _gone, _isResolved) = (gone, null, false);
            }

            if (_isResolved || (Resolve() && LoadsPending == 0))
                Finish();
        }

        private void Finish() => Answer(new() { Outcomes = _outcomes, Data = _data, Version = _version });

        // True: the slots are taken. Bytes may still be on their way.
        private bool Resolve()
        {
            var outcome = desk.Open(head, out var handle);
            if (!outcome.IsOk)
            {
                Answer(ReadReplies.Fail(outcome, items.Length));
                return false;
            }

            var (outcomes, total) = desk.Check(handle!, items);
            var waits = false;
            for (var i = 0; i < items.Length; i++)
            {
                if (outcomes is null || outcomes[i].IsOk)
                    waits |= desk.NeedLeaves(items[i], this);
            }

            for (var i = 0; i < items.Length && !waits; i++)
            {
                if (outcomes is null || outcomes[i].IsOk)
                    waits |= desk.NeedBelow(items[i], this);
            }

            if (waits)
            {
                desk._pending.Add(this);
                return false;
            }

            (_outcomes, _data, _version, _isResolved) = (outcomes, Room(total), desk.Seq, true);
            _missing.Clear();
            desk.BeginLook();
            var pages = new List<(PageKey, uint)>();
            var at = 0;
            for (var i = 0; i < items.Length; i++)
            {
                if (outcomes is not null && !outcomes[i].IsOk)
                    continue;
                if (!Take(items[i], at, pages))
                    return Again();
                at += items[i].Length;
            }

            if (!desk.IsStillSo)
                return Again();
            if (pages.Count > 0)
            {
                desk._pending.Add(this);
                desk.NeedPages(pages, this);
            }

            return true;
        }

        // A view was recalled between two looks: all is looked at anew.
        private bool Again()
        {
            _isResolved = false;
            return Resolve();
        }

        // False: something that was here a moment ago is not any more.
        private bool Take(ReadItem item, int at, List<(PageKey, uint)> pages)
        {
            for (var done = 0; done < item.Length;)
            {
                var offset = item.Offset + (ulong)done;
                var from = (int)(offset % Limits.PageBytes);
                var count = Math.Min(Limits.PageBytes - from, item.Length - done);
                if (!desk.TrySee(offset / Limits.PageBytes, out var shown))
                    return false;
                if (shown.IsStored)
                {
                    var key = shown.Key;
                    if (desk.TryGet(key, out var bytes))
                    {
                        bytes.AsSpan(from, count).CopyTo(_data.AsSpan(at + done));
                    }
                    else
                    {
                        if (!_missing.TryGetValue(key, out var places))
                            _missing.Add(key, places = []);
                        places.Add((from, count, at + done));
                        pages.Add((key, shown.Slot.Checksum));
                    }
                }

                else
                {
                    _data.AsSpan(at + done, count).Clear();
                }

                done += count;
            }

            return true;
        }
    }

    private ulong Seq => state.Layer.Seq;

    private bool NeedLeaves(ReadItem item, ILoadWaiter waiter) => loads.NeedLeaves(PageRange.Covering(new(item.Offset, (ulong)item.Length)), waiter);

    private void NeedPages(List<(PageKey, uint)> pages, ILoadWaiter waiter) => loads.NeedPages(pages, waiter);

    private bool NeedBelow(ReadItem item, ILoadWaiter waiter) => loads.NeedBelow(PageRange.Covering(new(item.Offset, (ulong)item.Length)), BelowNeed.Read, waiter);

    private bool TrySee(ulong page, out Shown shown) => state.Sight.TrySee(page, out shown);

    private void BeginLook() => state.Sight.Begin();

    private bool IsStillSo => state.Sight.IsStillSo;

    // A blob of another layer is missing: the layer may have been merged away. What shows the same today is asked for anew.
    private void ForgetBelow(in PageKey gone)
    {
        if (gone.Layer != state.Layer.Id)
            state.Sight.Forget(new(gone.Layer, gone.Blob));
    }

    private bool TryGet(in PageKey key, out byte[] bytes) => state.Cache.TryGet(key, out bytes);
}
