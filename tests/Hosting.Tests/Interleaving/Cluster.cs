using VmoCluster.Core.Store;

namespace VmoCluster.Hosting.Tests.Interleaving;

/// <summary>
/// Silos over one store, and a scheduler that decides by its seed who takes the next step: which request reaches the store, which answer
/// comes back, which of them is lost or late, which silo stands still, dies or leaves, and how much time passes. After each step the
/// promises are looked at. Session ids and nonces are random; nothing here depends on them.
/// </summary>
internal sealed class Cluster
{
    private const int Vmos = 2;
    private const int SilosAtOnce = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Random _random;
    private readonly (int Weight, Action<PlayedSilo> Run)[] _kinds;
    private readonly MemoryStore _store = new();
    private readonly Chronicle _chronicle = new();
    private readonly Scheduler _scheduler;
    private readonly PlayedSilo[] _silos = new PlayedSilo[SilosAtOnce];

    // Others stand in their places; they end what they have begun.
    private readonly List<PlayedSilo> _leaving = [];
    private int _started;

    public Cluster(int seed)
    {
        _random = new(seed);
        _scheduler = new(_random, _store, _chronicle);
        // No two runs are of the same kind: in some the store is far, in some silos stand still more than they run.
        _kinds =
        [
            Kind(48, _ => _scheduler.GoOn(withFaults: true)),
            Kind(12, _ => Pass(TimeSpan.FromMilliseconds(_random.Next(_random.Next(20) switch { 0 => 8000, < 4 => 1500, _ => 300 })))),
            Kind(12, StartDue),
            Kind(14, silo => Ask(silo, new((ulong)_random.Next(Vmos) + 1))),
            Kind(3, LetGo),
            Kind(5, PauseOrResume),
            Kind(2, CutOrMend),
            Kind(1, EndOrLeave),
            Kind(3, _ => _scheduler.RunLate()),
        ];
        for (var vmo = 1ul; vmo <= Vmos; vmo++)
        {
            _store.Put(new(vmo), default);
        }

        for (var i = 0; i < SilosAtOnce; i++)
        {
            _silos[i] = NewSilo();
        }
    }

    /// <summary>What happened; a run in which something never happens tests nothing.</summary>
    public Chronicle Chronicle => _chronicle;

    /// <summary>Any step, with all that can go wrong.</summary>
    public void Step()
    {
        var at = _random.Next(_kinds.Sum(kind => kind.Weight));
        _kinds.First(kind => (at -= kind.Weight) < 0).Run(_silos[_random.Next(SilosAtOnce)]);
        _scheduler.Settle();
        Check();
    }

    /// <summary>Everybody is alive, nothing is lost any more: each silo in turn gets each VMO.</summary>
    public void Recover()
    {
        foreach (var silo in _silos.Concat(_leaving))
        {
            (silo.IsPaused, silo.IsCutOff) = (false, false);
            silo.CatchUp();
        }

        while (_scheduler.HasLate)
        {
            _scheduler.RunLate();
        }

        foreach (var silo in _silos)
        {
            for (var vmo = 1ul; vmo <= Vmos; vmo++)
            {
                Reach(silo, new(vmo));
            }
        }

        var stuck = _scheduler.Unfinished.Where(one => !one.Silo.IsGone && one.What.StartsWith("asks", StringComparison.Ordinal)).ToList();
        Chronicle.Require(stuck.Count == 0, $"never ended: {string.Join(", ", stuck.Select(one => $"{one.Silo} {one.What}"))}");
    }

    private (int Weight, Action<PlayedSilo> Run) Kind(int weight, Action<PlayedSilo> run) => (weight * (1 << _random.Next(5)), run);

    private void Reach(PlayedSilo silo, Koid vmo)
    {
        for (var waited = TimeSpan.Zero; !silo.Activations.Any(one => one.Vmo == vmo && one.Acting is not null); waited += TimeSpan.FromMilliseconds(50))
        {
            Chronicle.Require(waited < Patience, $"{silo} did not get VMO {vmo} in {Patience.TotalSeconds} s although everybody is alive; its owner is {_store.Owners[vmo]}");
            Ask(silo, vmo);
            foreach (var other in _silos)
            {
                StartDue(other);
            }

            while (_scheduler.GoOn(withFaults: false))
            {
                _scheduler.Settle();
                Check();
            }

            Pass(TimeSpan.FromMilliseconds(50));
            _scheduler.Settle();
            Check();
        }
    }

    // No two activations act for one VMO, and who acts is whom the store would let commit.
    private void Check()
    {
        for (var vmo = 1ul; vmo <= Vmos; vmo++)
        {
            var acting = _silos.Concat(_leaving).SelectMany(silo => silo.Activations, (silo, one) => (Silo: silo, one.Vmo, one.Acting))
                .Where(one => one.Vmo.Value == vmo && one.Acting is not null).ToList();
            Chronicle.Require(acting.Count <= 1, $"{acting.Count} activations act for VMO {vmo}: {string.Join(", ", acting.Select(one => $"{one.Silo} as {one.Acting}"))}");
            var owner = _store.Owners[new(vmo)];
            Chronicle.Require(acting.All(one => one.Acting == owner), $"{(acting.Count > 0 ? $"{acting[0].Silo} acts for VMO {vmo} as {acting[0].Acting}" : "")}, and its owner is {owner}");
        }
    }

    private void Ask(PlayedSilo silo, Koid vmo)
    {
        var here = silo.Activations.Where(one => one.Vmo == vmo).ToList();
        // Seldom a second one beside the first: the directory may err.
        var one = here.Count == 0 || (here.Count == 1 && _random.Next(20) == 0) ? null : here[_random.Next(here.Count)];
        if (!silo.CanStep || one?.Acting is not null || one?.Asking is { Task.IsCompleted: false })
        {
            return;
        }

        if (one is null)
        {
            silo.Activations.Add(one = new(silo, vmo, _store, _random.Next(3) == 0 ? () => _scheduler.RestAsync(isGivingUp: true) : null));
        }

        var (before, owner) = (one.Acquired, _store.Owners[vmo]);
        one.Asking = _scheduler.Start(silo, $"asks for VMO {vmo}", async () =>
        {
            await one.AskAsync();
            if (one.Acquired > before)
            {
                var state = _store.Sessions.GetValueOrDefault(owner.Session);
                _chronicle.Count(owner.IsReleased ? "released" : owner.Session == silo.Silo.Session.Id ? "own" : state.IsDead ? "dead" : "given up");
            }
        });
    }

    private void LetGo(PlayedSilo silo)
    {
        if (silo.CanStep && silo.Activations.FirstOrDefault(one => one.HasShell && one.Asking is null or { Task.IsCompleted: true }) is { } one)
        {
            var release = one.Acting is not null && _random.Next(2) == 0;
            _scheduler.Start(silo, $"lets go of VMO {one.Vmo}", async () => await one.LetGoAsync(release));
            silo.Activations.Remove(one);
            _chronicle.Count("let go");
        }
    }

    private void StartDue(PlayedSilo silo)
    {
        if (silo.CanStep && silo.Renewal is null or { Task.IsCompleted: true } && silo.Now >= silo.RenewAt)
        {
            var before = silo.Silo.Session.Id;
            silo.Renewal = _scheduler.Start(silo, "renews", async () =>
            {
                silo.RenewAt = silo.Now + await silo.Silo.RenewAsync();
                _chronicle.Count(before != 0 && silo.Silo.Session.Id != before ? "lost session" : "renewal");
            });
        }

        if (silo.CanStep && silo.Look is null or { Task.IsCompleted: true } && silo.Now >= silo.LookAt)
        {
            silo.Look = _scheduler.Start(silo, "looks at the others", async () =>
            {
                try
                {
                    await silo.Silo.Watch.LookAsync(default);
                }
                catch (StoreException)
                {
                    _chronicle.Count("unanswered look");
                }

                silo.LookAt = silo.Now + TimeSpan.FromMilliseconds(Limits.SessionLookMs);
            });
        }
    }

    private void PauseOrResume(PlayedSilo silo)
    {
        if (silo.IsGone)
        {
            return;
        }

        // More often on than off, or nobody is ever alive together.
        silo.IsPaused = !silo.IsPaused && _random.Next(3) == 0;
        _chronicle.Note($"{silo} {(silo.IsPaused ? "stands still" : "goes on")}");
        _chronicle.Count(silo.IsPaused ? "pause" : "resume");
        silo.CatchUp();
    }

    private void CutOrMend(PlayedSilo silo)
    {
        silo.IsCutOff = !silo.IsCutOff && _random.Next(2) == 0;
        _chronicle.Note($"{silo} {(silo.IsCutOff ? "is cut off from" : "reaches")} the store");
        _chronicle.Count(silo.IsCutOff ? "cut off" : "reached again");
    }

    // A new one in its place; what the old one has sent may still arrive.
    private void EndOrLeave(PlayedSilo silo)
    {
        if (_random.Next(3) > 0)
        {
            return;
        }

        if (silo.CanStep && silo.Renewal is null or { Task.IsCompleted: true } && _random.Next(2) == 0)
        {
            // Its activations have left before; what it still has to say to the store is said to the end.
            foreach (var one in silo.Activations.Where(one => one.HasShell))
            {
                _scheduler.Start(silo, $"lets go of VMO {one.Vmo}", async () => await one.LetGoAsync(release: true));
            }

            silo.Renewal = _scheduler.Start(silo, "leaves", () => silo.Silo.Keeper.StopAsync(default));
            _leaving.Add(silo);
            _chronicle.Count("leave");
        }
        else
        {
            _chronicle.Note($"{silo} is killed");
            silo.IsGone = true;
            _chronicle.Count("kill");
        }

        _silos[Array.IndexOf(_silos, silo)] = NewSilo();
    }

    private void Pass(TimeSpan time)
    {
        _chronicle.Note($"{time.TotalMilliseconds:F0} ms pass");
        foreach (var silo in _silos.Concat(_leaving))
        {
            silo.Advance(time);
        }
    }

    private PlayedSilo NewSilo()
    {
        // Clocks that differ by up to 2 in 100.
        var silo = new PlayedSilo(++_started, _store, 0.99 + (_random.NextDouble() * 0.02));
        _chronicle.Note($"{silo} starts");
        return silo;
    }
}
