using VmoCluster.Chaos.History;

namespace VmoCluster.Chaos.Tests.History;

/// <summary>A store that is right, and callers whose calls take effect at some instant between their beginning and their end; some are not answered.</summary>
/// <param name="seed">Of all chance.</param>
/// <param name="takesSnapshotsInPieces">Wrong on purpose: a snapshot keeps its first cell as it is at one instant of the call, and the others as they are at its end.</param>
internal sealed class PlayedStore(int seed, bool takesSnapshotsInPieces = false)
{
    private const int Callers = 8;
    private const int Cells = 3;

    private readonly Random _random = new(seed);
    private readonly List<HistoryEvent> _events = [];
    private readonly Dictionary<(ulong Vmo, int Cell), ulong> _own = [];
    private readonly Dictionary<ulong, ulong> _parents = [];
    private readonly Dictionary<(ulong Vmo, int Cell), ulong> _captured = [];
    private readonly List<ulong> _vmos = [1];
    private readonly HashSet<ulong> _snapshots = [];
    private ulong _value;
    private bool _isOver;

    public List<HistoryEvent> Play(int calls)
    {
        _events.Add(new() { Kind = HistoryKind.Create, Outcome = HistoryOutcome.Ok, Began = 0, Ended = 1, Vmo = 1 });
        // What happens when: an instant, or an end after which the caller goes on.
        var agenda = new PriorityQueue<Action<long>, long>();
        for (var caller = 0; caller < Callers; caller++)
            Next(agenda, caller, 2 + caller);
        while (agenda.TryDequeue(out var act, out var now))
        {
            // What is under way then comes to its end, as it may have been seen.
            _isOver = _events.Count >= calls;
            act(now);
        }

        return _events;
    }

    private void Next(PriorityQueue<Action<long>, long> agenda, int caller, long began)
    {
        if (_isOver)
            return;
        var (at, ended) = (began + _random.Next(1, 20), 0L);
        ended = at + _random.Next(1, 20);
        var isAnswered = _random.Next(50) != 0;
        var (vmo, cell) = (_vmos[_random.Next(_vmos.Count)], _random.Next(Cells));
        var call = new HistoryEvent
        {
            Kind = _random.Next(20) switch { < 8 => HistoryKind.Read, < 16 => HistoryKind.Write, 16 => HistoryKind.Zero, 17 or 18 => HistoryKind.Decommit, _ => HistoryKind.CloneLive },
            Outcome = HistoryOutcome.Ok, Began = began, Ended = ended, Caller = caller, Vmo = vmo, Cell = cell,
        };
        if (call.Kind == HistoryKind.CloneLive)
        {
            call = call with { Kind = _random.Next(2) == 0 ? HistoryKind.CloneSnapshot : HistoryKind.CloneLive };
            isAnswered = _vmos.Count < 8;
        }

        // Slow, so that others write during it.
        if (call.Kind == HistoryKind.CloneSnapshot)
        {
            at = began + _random.Next(1, 150);
            ended = at + _random.Next(1, 150);
            call = call with { Ended = ended };
        }

        // One that is not answered takes effect much later, or never; of zeros and decommits only few, as they stay open for good.
        if (!isAnswered && (call.Kind is HistoryKind.Write || (call.Kind is HistoryKind.Zero or HistoryKind.Decommit && _random.Next(10) == 0)))
        {
            call = call with { Outcome = HistoryOutcome.Unknown, Value = ++_value };
            _events.Add(call);
            if (_random.Next(2) == 0)
                agenda.Enqueue(_ => Do(call), at + _random.Next(1, 400));
            agenda.Enqueue(now => Next(agenda, caller, now + 1), ended);
            return;
        }

        if (call.Kind is HistoryKind.CloneLive or HistoryKind.CloneSnapshot && !isAnswered)
            call = call with { Kind = HistoryKind.Read };
        if (call.Kind == HistoryKind.Write)
            call = call with { Value = ++_value };
        agenda.Enqueue(_ => call = Do(call), at);
        agenda.Enqueue(
            now =>
            {
                if (takesSnapshotsInPieces && call.Kind == HistoryKind.CloneSnapshot)
                    Capture(call, 1);
                _events.Add(call);
                if (call.Child != 0)
                    _vmos.Add(call.Child);
                Next(agenda, caller, now + 1);
            },
            ended);
    }

    private HistoryEvent Do(HistoryEvent call)
    {
        switch (call.Kind)
        {
            case HistoryKind.Read:
                return call with { Shown = [Show(call.Vmo, call.Cell)] };
            case HistoryKind.Write:
                _own[(call.Vmo, call.Cell)] = call.Value;
                return call;
            case HistoryKind.Zero:
                _own[(call.Vmo, call.Cell)] = 0;
                return call;
            case HistoryKind.Decommit:
                _own.Remove((call.Vmo, call.Cell));
                return call;
            default:
                var child = (ulong)(_parents.Count + 2);
                _parents[child] = call.Vmo;
                if (call.Kind == HistoryKind.CloneSnapshot)
                {
                    _snapshots.Add(child);
                    Capture(call with { Child = child }, 0);
                }

                return call with { Child = child };
        }
    }

    private void Capture(HistoryEvent snapshot, int firstCell)
    {
        for (var cell = firstCell; cell < Cells; cell++)
            _captured[(snapshot.Child, cell)] = Show(snapshot.Vmo, cell);
    }

    private ulong Show(ulong vmo, int cell) => _own.TryGetValue((vmo, cell), out var own) ? own
        : _snapshots.Contains(vmo) ? _captured[(vmo, cell)]
        : _parents.TryGetValue(vmo, out var parent) ? Show(parent, cell) : 0;
}
