namespace VmoCluster.NbdDoor.Serving;

/// <summary>
/// How many bytes of payloads all connections of a server have under way together, beyond the share that each has by itself. Who finds no room stands in line, the first that came first, and is told
/// when it is his turn. Safe from several threads; nobody is told anything under its lock.
/// </summary>
internal sealed class SharedRoom(long bytesMost, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Place> _line = [];
    private long _bytes;

    /// <summary>Bytes taken.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock)
                return _bytes;
        }
    }

    /// <summary>How long the first in line has stood there; zero where nobody does.</summary>
    public TimeSpan LongestWait
    {
        get
        {
            lock (_lock)
                return _line.First is { } first ? time.GetElapsedTime(first.Value.Since) : TimeSpan.Zero;
        }
    }

    /// <summary>Takes so many bytes: null. Or stands in line for them, until they are given, which is told, or <see cref="Leave"/>. What is more than all there is goes alone.</summary>
    public Place? TakeOrStand(long bytes, Action<Place> given)
    {
        lock (_lock)
        {
            if (_line.Count == 0 && Fits(bytes))
            {
                _bytes += bytes;
                return null;
            }

            var place = new Place(bytes, given, time.GetTimestamp());
            _line.AddLast(place);
            return place;
        }
    }

    /// <summary>Leaves the line. False: the bytes are given, and it is being told.</summary>
    public bool Leave(Place place)
    {
        List<Place> next;
        lock (_lock)
        {
            if (!_line.Remove(place))
                return false;
            next = Next();
        }

        Tell(next);
        return true;
    }

    /// <summary>Gives bytes back.</summary>
    public void GiveBack(long bytes)
    {
        if (bytes == 0)
            return;
        List<Place> next;
        lock (_lock)
        {
            _bytes -= bytes;
            next = Next();
        }

        Tell(next);
    }

    private bool Fits(long bytes) => _bytes == 0 || _bytes + bytes <= bytesMost;

    private List<Place> Next()
    {
        var next = new List<Place>();
        while (_line.First is { } first && Fits(first.Value.Bytes))
        {
            _line.RemoveFirst();
            _bytes += first.Value.Bytes;
            next.Add(first.Value);
        }

        return next;
    }

    private static void Tell(List<Place> next)
    {
        foreach (var place in next)
            place.Given(place);
    }

    /// <summary>A place in the line.</summary>
    /// <param name="bytes">What is waited for.</param>
    /// <param name="given">What is told when it is there.</param>
    /// <param name="since">When it was taken.</param>
    internal sealed class Place(long bytes, Action<Place> given, long since)
    {
        public long Bytes => bytes;

        public Action<Place> Given => given;

        public long Since => since;
    }
}
