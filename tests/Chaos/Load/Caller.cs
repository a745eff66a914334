using System.Diagnostics;
using VmoCluster.Chaos.History;
using VmoCluster.Client;

namespace VmoCluster.Chaos.Load;

/// <summary>One caller: a call at a time on some VMO of some family, by its own client, and a note of each.</summary>
internal sealed class Caller(int number, int seed, OpenVmos client, IReadOnlyList<PlayedFamily> families, RevokedHandles revoked, Recorder recorder)
{
    private const int FamilyMost = 10;

    private readonly Random _random = new(seed);

    /// <summary>Calls until it is stopped, or until so many calls are taken down in all.</summary>
    public async Task RunAsync(long most, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested && recorder.Count < most)
            await CallAsync(stop);
    }

    /// <summary>Asks what a cell shows until it is answered. False: the handle is not known.</summary>
    public async Task<bool> ReadAtLastAsync(Vmo vmo, int cell)
    {
        while (true)
        {
            if (await ReadAsync(client.Open(vmo.Handle), cell) is var outcome and not HistoryOutcome.Unknown)
                return outcome == HistoryOutcome.Ok;
        }
    }

    private async Task CallAsync(CancellationToken stop)
    {
        var family = families[_random.Next(families.Count)];
        var (vmo, cell) = (client.Open(family.Any(_random).Handle), Cells.Any(_random));
        switch (_random.Next(100))
        {
            case < 41:
                await ReadAsync(vmo, cell);
                break;
            case < 75:
                await WriteAsync(vmo, cell);
                break;
            case < 78:
                await ChangeAsync(new() { Kind = HistoryKind.Zero, Outcome = HistoryOutcome.Ok, Began = 0, Ended = 0, Vmo = vmo.Koid.Value, Cell = cell }, () => vmo.ZeroAsync(Cells.RangeOf(cell)));
                break;
            case < 81:
                await ChangeAsync(new() { Kind = HistoryKind.Decommit, Outcome = HistoryOutcome.Ok, Began = 0, Ended = 0, Vmo = vmo.Koid.Value, Cell = cell }, () => vmo.DecommitAsync(Cells.RangeOf(cell)));
                break;
            case < 87 when family.Count < FamilyMost:
                await CloneAsync(family, vmo, _random.Next(2) == 0 ? VmoKind.Live : VmoKind.Snapshot);
                break;
            case < 90:
                await CloseAsync(family);
                break;
            case < 94:
                await LookAsync(vmo);
                break;
            case < 96:
                await RevokeAsync(family, cell, stop);
                break;
            case < 100 when revoked.Any(_random) is { } gone:
                await UseEndedAsync(client.Open(gone), cell);
                break;
        }
    }

    private async Task<HistoryOutcome> ReadAsync(Vmo vmo, int cell)
    {
        var bytes = new byte[Cells.RangeOf(cell).Length];
        var began = Stopwatch.GetTimestamp();
        var outcome = await OutcomeAsync(() => vmo.ReadAsync(Cells.RangeOf(cell).Offset, bytes), isChange: false);
        recorder.Add(new HistoryEvent
        {
            Kind = HistoryKind.Read, Outcome = outcome, Began = began, Ended = Stopwatch.GetTimestamp(), Caller = number, Vmo = vmo.Koid.Value, Cell = cell,
            Shown = outcome == HistoryOutcome.Ok ? Cells.Shown(bytes) : [],
        });
        return outcome;
    }

    private Task<HistoryOutcome> WriteAsync(Vmo vmo, int cell, bool isEnded = false)
    {
        var value = recorder.NextValue();
        return ChangeAsync(
            new() { Kind = HistoryKind.Write, Outcome = HistoryOutcome.Ok, Began = 0, Ended = 0, Vmo = vmo.Koid.Value, Cell = cell, Value = value },
            () => vmo.WriteAsync(Cells.RangeOf(cell).Offset, Cells.Fill(cell, value)),
            isEnded);
    }

    private async Task CloneAsync(PlayedFamily family, Vmo vmo, VmoKind kind)
    {
        Vmo? clone = null;
        var began = Stopwatch.GetTimestamp();
        var outcome = await OutcomeAsync(async () => clone = await vmo.CloneAsync(kind, options: new() { NonResizable = true }), isChange: true);
        recorder.Add(new HistoryEvent
        {
            Kind = kind == VmoKind.Live ? HistoryKind.CloneLive : HistoryKind.CloneSnapshot, Outcome = outcome, Began = began, Ended = Stopwatch.GetTimestamp(), Caller = number,
            Vmo = vmo.Koid.Value, Child = clone?.Koid.Value ?? 0,
        });
        if (clone is not null)
            family.Add(clone);
    }

    // What others have begun on it meanwhile is refused, or was done before. A closed VMO's live clones go on to show what it was.
    private async Task CloseAsync(PlayedFamily family)
    {
        if (family.TakeOut(_random) is not { } vmo)
            return;
        var began = Stopwatch.GetTimestamp();
        var outcome = await OutcomeAsync(() => client.Open(vmo.Handle).CloseAsync(), isChange: true);
        recorder.Add(new ChildEnd(vmo.Koid.Value, began, Stopwatch.GetTimestamp(), outcome));
        if (outcome == HistoryOutcome.Unknown)
            family.AddPerhapsClosed(vmo);
    }

    private async Task LookAsync(Vmo vmo)
    {
        var isSet = false;
        var began = Stopwatch.GetTimestamp();
        var outcome = await OutcomeAsync(async () => isSet = (await vmo.GetInfoAsync()).Signals.HasFlag(VmoSignals.ZeroChildren), isChange: false);
        if (outcome == HistoryOutcome.Ok)
            recorder.Add(new SignalSeen(vmo.Koid.Value, began, Stopwatch.GetTimestamp(), isSet));
    }

    // A duplicate is made, and one of that; the first is revoked, and from then on everybody tries to use both now and then. Of one that was not answered until all stop, nothing is known.
    private async Task RevokeAsync(PlayedFamily family, int cell, CancellationToken stop)
    {
        var root = client.Open(family.Root.Handle);
        if (await DuplicateAsync(root) is not { } duplicate)
            return;
        var derived = await DuplicateAsync(client.Open(duplicate.Handle));
        await UseAsync(client.Open((derived ?? duplicate).Handle), cell);
        while (!stop.IsCancellationRequested)
        {
            var began = Stopwatch.GetTimestamp();
            var outcome = await OutcomeAsync(() => duplicate.RevokeAsync(), isChange: false);
            if (outcome == HistoryOutcome.Unknown)
                continue;
            // Refused after a try without an answer: that one had done it.
            recorder.Add(new HandleEnd(RevokedHandles.NumberOf(duplicate.Handle), HandleEndKind.Revoke, began, Stopwatch.GetTimestamp(), HistoryOutcome.Ok));
            revoked.Add(duplicate.Handle);
            if (derived is not null)
                revoked.Add(derived.Handle);
            return;
        }

        family.AddPerhapsClosed(duplicate);
        if (derived is not null)
            family.AddPerhapsClosed(derived);
    }

    private async Task<Vmo?> DuplicateAsync(Vmo source)
    {
        Vmo? duplicate = null;
        var began = Stopwatch.GetTimestamp();
        var outcome = await OutcomeAsync(async () => duplicate = await source.DuplicateAsync(VmoRights.Read | VmoRights.Write | VmoRights.Duplicate), isChange: true);
        if (duplicate is not null)
            recorder.Add(new HandleBirth(RevokedHandles.NumberOf(source.Handle), RevokedHandles.NumberOf(duplicate.Handle), began, Stopwatch.GetTimestamp(), outcome));
        return duplicate;
    }

    // Nothing is done through it, however often it is tried: a write that is refused has never been done, unlike one through a handle that may have ended on the way.
    private async Task UseEndedAsync(Vmo vmo, int cell)
    {
        var began = Stopwatch.GetTimestamp();
        var outcome = _random.Next(4) switch
        {
            0 => await WriteAsync(vmo, cell, isEnded: true),
            1 => await OutcomeAsync(() => vmo.DuplicateAsync(VmoRights.Read), isChange: false),
            _ => await ReadAsync(vmo, cell),
        };
        recorder.Add(new HandleUse(RevokedHandles.NumberOf(vmo.Handle), began, Stopwatch.GetTimestamp(), outcome));
    }

    private async Task UseAsync(Vmo vmo, int cell)
    {
        var began = Stopwatch.GetTimestamp();
        var outcome = await ReadAsync(vmo, cell);
        recorder.Add(new HandleUse(RevokedHandles.NumberOf(vmo.Handle), began, Stopwatch.GetTimestamp(), outcome));
    }

    private async Task<HistoryOutcome> ChangeAsync(HistoryEvent change, Func<Task> call, bool isEnded = false)
    {
        var began = Stopwatch.GetTimestamp();
        var outcome = await OutcomeAsync(call, isChange: !isEnded);
        recorder.Add(change with { Outcome = outcome, Began = began, Ended = Stopwatch.GetTimestamp(), Caller = number });
        return outcome;
    }

    private async Task<HistoryOutcome> OutcomeAsync(Func<Task> call, bool isChange)
    {
        var began = Stopwatch.GetTimestamp();
        try
        {
            await call();
            return HistoryOutcome.Ok;
        }
        catch (VmoException refused)
        {
            if (refused.IsRetryable || refused.Status == VmoStatus.TimedOut)
            {
                recorder.CountUnanswered();
                return HistoryOutcome.Unknown;
            }

            // A change that was tried more than once may have been done before the VMO was closed, and then be refused for its handle.
            if (refused.Status == VmoStatus.BadHandle)
                return isChange ? HistoryOutcome.Unknown : HistoryOutcome.Refused;
            // The run goes on: what else it finds is worth as much.
            recorder.AddUnexplained($"{DateTimeOffset.UtcNow:O}: a call was answered with {refused.Status}, which nothing here explains: {refused}");
            return HistoryOutcome.Unknown;
        }
        finally
        {
            recorder.Took(Stopwatch.GetTimestamp() - began);
        }
    }
}
