namespace VmoCluster.Harness;

/// <summary>What is wrong with a <see cref="TcpProxy"/> at the moment; every chunk asks it what becomes of it. Safe from several threads.</summary>
internal sealed class ProxyFaults
{
    private readonly Lock _lock = new();
    private TaskCompletionSource _passable = Opened();
    private ProxyWay _stalled;
    private ProxyWay _lossy;
    private ProxyWay _slow;
    private TimeSpan _delay;
    private TimeSpan _jitter;
    private Random _chance = new(0);
    private (ProxyWay Way, long Left)? _cut;
    private (byte[] Text, TimeSpan Time)? _hold;

    public int Held { get; private set; }

    /// <summary>Of those, what has neither gone on nor ended with its connection.</summary>
    public int StillHeld { get; private set; }

    public int Cuts { get; private set; }

    public void HoldNext(byte[] text, TimeSpan time)
    {
        lock (_lock)
            _hold = (text, time);
    }

    public void Delay(ProxyWay way, TimeSpan delay, TimeSpan jitter, int seed)
    {
        lock (_lock)
            (_slow, _delay, _jitter, _chance) = (way, delay, jitter, new(seed));
    }

    public void Lose(ProxyWay way)
    {
        lock (_lock)
            _lossy = way;
    }

    public void Stall(ProxyWay way)
    {
        lock (_lock)
        {
            _stalled = way;
            if (_passable.Task.IsCompleted)
                _passable = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public void CutAfter(ProxyWay way, long bytes)
    {
        lock (_lock)
            _cut = (way, bytes);
    }

    public void Heal()
    {
        lock (_lock)
        {
            (_stalled, _lossy, _slow, _cut, _hold) = (ProxyWay.None, ProxyWay.None, ProxyWay.None, null, null);
            _passable.TrySetResult();
        }
    }

    /// <summary>So many of what was held have gone on, or never will.</summary>
    public void LetGo(int count)
    {
        lock (_lock)
            StillHeld -= count;
    }

    /// <summary>Waits while nothing passes this way.</summary>
    public async ValueTask PassableAsync(ProxyWay way, CancellationToken cancel)
    {
        while (true)
        {
            Task passable;
            lock (_lock)
            {
                if ((_stalled & way) == 0)
                    return;
                passable = _passable.Task;
            }

            await passable.WaitAsync(cancel);
        }
    }

    /// <summary>What becomes of bytes that have come in.</summary>
    public ChunkFate Judge(ProxyWay way, ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            if ((_lossy & way) != 0)
                return new(0, IsLost: true, IsCut: false, IsHeld: false, TimeSpan.Zero);
            var (delay, isHeld) = (TimeSpan.Zero, false);
            if ((_slow & way) != 0)
                delay = _delay + (_jitter * _chance.NextDouble());
            if (way == ProxyWay.ToServer && _hold is { } hold && bytes.IndexOf(hold.Text) >= 0)
            {
                _hold = null;
                Held++;
                StillHeld++;
                isHeld = true;
                delay += hold.Time;
            }

            if (_cut is not { } cut || (cut.Way & way) == 0)
                return new(bytes.Length, IsLost: false, IsCut: false, isHeld, delay);
            if (cut.Left > bytes.Length)
            {
                _cut = cut with { Left = cut.Left - bytes.Length };
                return new(bytes.Length, IsLost: false, IsCut: false, isHeld, delay);
            }

            _cut = null;
            Cuts++;
            return new((int)cut.Left, IsLost: false, IsCut: true, isHeld, delay);
        }
    }

    private static TaskCompletionSource Opened()
    {
        var opened = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        opened.SetResult();
        return opened;
    }
}

/// <summary>What becomes of a chunk.</summary>
/// <param name="Passed">So many of its first bytes go on.</param>
/// <param name="IsLost">None of them does, and nobody is told.</param>
/// <param name="IsCut">After those that go on both sides are reset.</param>
/// <param name="IsHeld">It is what was to be held.</param>
/// <param name="Delay">They go on so much later, and what follows not before them.</param>
internal readonly record struct ChunkFate(int Passed, bool IsLost, bool IsCut, bool IsHeld, TimeSpan Delay);
