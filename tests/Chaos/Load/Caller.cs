using System.Diagnostics;
using VmoCluster.Chaos.History;
using VmoCluster.Client;

namespace VmoCluster.Chaos.Load;

/// <summary>One caller: a call at a time on some VMO of some family, by its own client, and a note of each.</summary>
internal sealed class Caller(int number, int seed, OpenVmos client, IReadOnlyList<PlayedFamily> families, EndedHandles ended, Recorder recorder, bool mayLose)
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
                await ReadAsync(vmo, cell, family);
                break;
            case < 75:
                await WriteAsync(vmo, cell, recorder.NextValue(), family);
                break;
            case < 78:
                await ChangeAsync(new() { Kind = HistoryKind.Zero, Outcome = HistoryOutcome.Ok, Began = 0, Ended = 0, Vmo = vmo.Koid.Value, Cell = cell }, () => vmo.ZeroAsync(Cells.RangeOf(cell)), vmo, family);
                break;
            case < 81:
                await ChangeAsync(new() { Kind = HistoryKind.Decommit, Outcome = HistoryOutcome.Ok, Began = 0, Ended = 0, Vmo = vmo.Koid.Value, Cell = cell }, () => vmo.DecommitAsync(Cells.RangeOf(cell)), vmo, family);
                break;
            case < 87 when family.Count < FamilyMost:
                await CloneAsync(family, vmo, _random.Next(2) == 0 ? VmoKind.Live : VmoKind.Snapshot);
                break;
            case < 90:
                await CloseAsync(family, stop);
                break;
            case < 94:
                await LookAsync(family, vmo);
                break;
            case < 96:
                await RevokeAsync(family, cell, stop);
                break;
            case < 100 when ended.Any(_random) is { } gone:
                await UseEndedAsync(client.Open(gone), cell);
                break;
        }
    }

    // Of a VMO that was taken from a family the family is told: what it still holds is there.
    private async Task<HistoryOutcome> ReadAsync(Vmo vmo, int cell, PlayedFamily? family = null)
    {
        var bytes = new byte[Cells.RangeOf(cell).Length];
        var began = Stopwatch.GetTimestamp();
        var outcome = await OutcomeAsync(() => vmo.ReadAsync(Cells.RangeOf(cell).Offset, bytes), isChange: false, vmo, family);
        recorder.Add(new HistoryEvent
        {
            Kind = HistoryKind.Read, Outcome = outcome, Began = began, Ended = Stopwatch.GetTimestamp(), Caller = number, Vmo = vmo.Koid.Value, Cell = cell,
            Shown = outcome == HistoryOutcome.Ok ? Cells.Shown(bytes) : [],
        });
        return outcome;
    }

    // Without a family: through a handle that has ended.
    private Task<HistoryOutcome> WriteAsync(Vmo vmo, int cell, ulong value, PlayedFamily? family = null) => ChangeAsync(
        new() { Kind = HistoryKind.Write, Outcome = HistoryOutcome.Ok, Began = 0, Ended = 0, Vmo = vmo.Koid.Value, Cell = cell, Value = value },
        () => vmo.WriteAsync(Cells.RangeOf(cell).Offset, Cells.Fill(cell, value)),
        vmo,
        family);

    private async Task CloneAsync(PlayedFamily family, Vmo vmo, VmoKind kind)
    {
        Vmo? clone = null;
        var began = Stopwatch.GetTimestamp();
        var outcome = await OutcomeAsync(async () => clone = await vmo.CloneAsync(kind, options: new() { NonResizable = true }), isChange: true, vmo, family);
        recorder.Add(new HistoryEvent
        {
            Kind = kind == VmoKind.Live ? HistoryKind.CloneLive : HistoryKind.CloneSnapshot, Outcome = outcome, Began = began, Ended = Stopwatch.GetTimestamp(), Caller = number,
            Vmo = vmo.Koid.Value, Child = clone?.Koid.Value ?? 0,
        });
        if (clone is not null)
            family.Add(clone);
    }

    // What others have begun on it meanwhile is refused, or was done before. A closed VMO's live clones go on to show what it was.
    private async Task CloseAsync(PlayedFamily family, CancellationToken stop)
    {
        if (family.TakeOut(_random) is not { } vmo)
            return;
        var (began, answered) = (Stopwatch.GetTimestamp(), 0L);
        do
        {
            // Refused after a try without an answer: that one had done it.
            if (await OutcomeAsync(() => client.Open(vmo.Handle).CloseAsync(), isChange: false) != HistoryOutcome.Unknown)
                answered = Stopwatch.GetTimestamp();
        }
        while (answered == 0 && !stop.IsCancellationRequested);
        if (answered == 0)
        {
            recorder.Add(new ChildEnd(vmo.Koid.Value, began, Stopwatch.GetTimestamp(), HistoryOutcome.Unknown));
            family.AddPerhapsClosed(vmo);
            return;
        }

        recorder.Add(new ChildEnd(vmo.Koid.Value, began, answered, HistoryOutcome.Ok));
        recorder.Add(new HandleEnd(EndedHandles.NumberOf(vmo.Handle), HandleEndKind.Close, began, answered, HistoryOutcome.Ok));
        ended.Add(vmo.Handle);
    }

    private async Task LookAsync(PlayedFamily family, Vmo vmo)
    {
        var isSet = false;
        var began = Stopwatch.GetTimestamp();
        var outcome = await OutcomeAsync(async () => isSet = (await vmo.GetInfoAsync()).Signals.HasFlag(VmoSignals.ZeroChildren), isChange: false, vmo, family);
        if (outcome == HistoryOutcome.Ok)
            recorder.Add(new SignalSeen(vmo.Koid.Value, began, Stopwatch.GetTimestamp(), isSet));
    }

    // A duplicate is made, and one of that; the first is revoked, and from then on everybody tries to use both now and then. Of one that was not answered until all stop, nothing is known.
    private async Task RevokeAsync(PlayedFamily family, int cell, CancellationToken stop)
    {
        var root = client.Open(family.Root.Handle);
        if (await DuplicateAsync(root, family) is not { } duplicate)
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
            recorder.Add(new HandleEnd(EndedHandles.NumberOf(duplicate.Handle), HandleEndKind.Revoke, began, Stopwatch.GetTimestamp(), HistoryOutcome.Ok));
            ended.Add(duplicate.Handle);
            if (derived is not null)
                ended.Add(derived.Handle);
            return;
        }

        family.AddPerhapsClosed(duplicate);
        if (derived is not null)
            family.AddPerhapsClosed(derived);
    }

    private async Task<Vmo?> DuplicateAsync(Vmo source, PlayedFamily? family = null)
    {
        Vmo? duplicate = null;
        var began = Stopwatch.GetTimestamp();
        var outcome = await OutcomeAsync(async () => duplicate = await source.DuplicateAsync(VmoRights.Read | VmoRights.Write | VmoRights.Duplicate), isChange: true, source, family);
        if (duplicate is not null)
            recorder.Add(new HandleBirth(EndedHandles.NumberOf(source.Handle), EndedHandles.NumberOf(duplicate.Handle), began, Stopwatch.GetTimestamp(), outcome));
        return duplicate;
    }

    // Nothing is done through it, however often it is tried: a write that is refused has never been done, unlike one through a handle that may have ended on the way.
    private async Task UseEndedAsync(Vmo vmo, int cell)
    {
        var (began, kind) = (Stopwatch.GetTimestamp(), _random.Next(4));
        var value = kind == 0 ? recorder.NextValue() : 0;
        var outcome = kind switch
        {
            0 => await WriteAsync(vmo, cell, value),
            1 => await OutcomeAsync(() => vmo.DuplicateAsync(VmoRights.Read), isChange: false),
            _ => await ReadAsync(vmo, cell),
        };
        recorder.Add(new HandleUse(EndedHandles.NumberOf(vmo.Handle), began, Stopwatch.GetTimestamp(), outcome, value));
    }

    private async Task UseAsync(Vmo vmo, int cell)
    {
        var began = Stopwatch.GetTimestamp();
        var outcome = await ReadAsync(vmo, cell);
        recorder.Add(new HandleUse(EndedHandles.NumberOf(vmo.Handle), began, Stopwatch.GetTimestamp(), outcome));
        if (outcome == HistoryOutcome.Refused && !mayLose)
            recorder.AddUnexplained($"{DateTimeOffset.UtcNow:O}: a read through a duplicate of VMO {vmo.Koid} that nobody had begun to revoke was refused");
    }

    private async Task<HistoryOutcome> ChangeAsync(HistoryEvent change, Func<Task> call, Vmo vmo, PlayedFamily? family)
    {
        var began = Stopwatch.GetTimestamp();
        var outcome = await OutcomeAsync(call, isChange: family is not null, vmo, family);
        recorder.Add(change with { Outcome = outcome, Began = began, Ended = Stopwatch.GetTimestamp(), Caller = number });
        return outcome;
    }

    private async Task<HistoryOutcome> OutcomeAsync(Func<Task> call, bool isChange, Vmo? vmo = null, PlayedFamily? family = null)
    {
        var began = Stopwatch.GetTimestamp();
        try
        {
            await call();
            return HistoryOutcome.Ok;
        }
        catch (VmoException refused)
        {
            // What the family holds now, nobody had begun to close when this was answered. Where Redis itself has lost calls, its creation may be among them.
            var isHeld = !mayLose && vmo is not null && family?.Holds(vmo) == true;
            var outcome = Answers.Of(refused.Status, isChange, isHeld, out var isUnexplained);
            if (isUnexplained)
                recorder.AddUnexplained($"{DateTimeOffset.UtcNow:O}: a call{(vmo is null ? "" : $" on VMO {vmo.Koid}")} was answered with {refused.Status}, which nothing here explains: {refused}");
            else if (outcome == HistoryOutcome.Unknown && refused.Status != VmoStatus.BadHandle)
                recorder.CountUnanswered();
            return outcome;
        }
        finally
        {
            recorder.Took(Stopwatch.GetTimestamp() - began);
        }
    }
}
