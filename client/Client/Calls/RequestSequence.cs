using System.Security.Cryptography;

namespace VmoCluster.Client;

/// <summary>
/// A client's request ids: strictly rising, the issue time in the upper bits. It also knows the lowest one that is still outstanding:
/// everything below has been answered (or given up for good), and the store may forget it.
/// </summary>
internal sealed class RequestSequence(TimeProvider time)
{
    /// <summary>One request that is under way. The same id goes with all its attempts.</summary>
    internal sealed class Ticket
    {
        public RequestId Id;
        internal Ticket? Previous;
        internal Ticket? Next;
        internal bool IsOpen;
    }

    private readonly Lock _gate = new();
    private readonly ulong _client = NewClientId();
    private ulong _last;

    // Outstanding tickets, doubly linked in the order of their sequences: the first is the lowest.
    private Ticket? _first;
    private Ticket? _end;

    public Ticket Open()
    {
        var ticket = new Ticket();
        Open(ticket);
        return ticket;
    }

    public void Open(Ticket ticket)
    {
        lock (_gate)
        {
            // The clock may stand still or step back; the count then runs into the time bits, and the sequence still rises.
            var now = (ulong)time.GetUtcNow().ToUnixTimeMilliseconds() << RequestId.CountBits;
            _last = Math.Max(_last + 1, now);
            ticket.Id = new(_client, _last);
            ticket.IsOpen = true;
            ticket.Previous = _end;
            if (_end is null)
                _first = ticket;
            else
                _end.Next = ticket;
            _end = ticket;
        }
    }

    /// <summary>The request has been answered, or nobody will ask for it again. Once is enough, twice is harmless.</summary>
    public void Close(Ticket ticket)
    {
        lock (_gate)
        {
            if (!ticket.IsOpen)
                return;
            ticket.IsOpen = false;
            if (ticket.Previous is null)
                _first = ticket.Next;
            else
                ticket.Previous.Next = ticket.Next;
            if (ticket.Next is null)
                _end = ticket.Previous;
            else
                ticket.Next.Previous = ticket.Previous;
            ticket.Previous = ticket.Next = null;
        }
    }

    /// <summary>All of this client's requests below this have ended.</summary>
    public ulong AckedBelow
    {
        get
        {
            lock (_gate)
                return _first?.Id.Sequence ?? _last + 1;
        }
    }

    private static ulong NewClientId()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return BitConverter.ToUInt64(bytes) | 1; // never 0, which is no id
    }
}
