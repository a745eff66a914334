using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// Carries a clone call from its decision to its end: the next top is written, the top is frozen, the children are written, the homes of layers
/// that were pinned for them are told, the intent is struck off, and only then is the call answered. Every step may be repeated by whoever owns the VMO then; nothing else of the VMO
/// changes meanwhile, and reads go on.
/// </summary>
/// <param name="state">The VMO.</param>
/// <param name="queue">Where its steps go.</param>
/// <param name="frozen">Told when a top was frozen.</param>
internal sealed class Births(MachineState state, ChangeQueue queue, Action frozen)
{
    private Change? _call;
    private VmoReply? _reply;
    private bool _isBusy;
    private long _againMs;

    // Homes of pinned layers that are being told who looks through them.
    private readonly HashSet<TellKin> _telling = new(ReferenceEqualityComparer.Instance);
    private bool _isUntold;

    /// <summary>A decided call; its intent is durable.</summary>
    public void Begin(Change call, VmoReply? reply)
    {
        (_call, _reply) = (call, reply);
        Advance();
    }

    /// <summary>Goes on with the intent that stands in the record, if any.</summary>
    public void Advance()
    {
        if (_isBusy || state.Record.Intent is not { } intent || state.IsEnded || state.Now.MonotonicMs < _againMs)
            return;
        _isBusy = true;
        if (intent.Freeze != 0 && state.Layer.Id.Number == intent.Freeze)
            WriteNextTop();
        else if (intent.Births.Count == 0)
            StrikeOff();
        else
            state.Effects.Add(new CreateChildren([.. intent.Births.Select(birth => VmoCreation.Child(birth, LineageOf(birth), state.Record.LineageOf(birth.Meta)))]));
    }

    // A child that looks through the layer under the top has the line of the top.
    private Lineage LineageOf(Birth birth) => birth.Bases is [var first, ..] && first.Layer == new LayerId(state.Layer.Id.Home, state.Layer.Below.Under)
        ? state.Layer.Lineage.Shifted(first.Offset)
        : Lineage.None;

    public void Created(ChildrenCreated input)
    {
        if (input.Outcome.IsOk)
        {
            TellHomes();
            return;
        }

        // Some may stand there: rolled forward as soon as the store lets us.
        (_isBusy, _againMs) = (false, state.Now.MonotonicMs + RetryMs);
    }

    /// <summary>True: it was the home of a pinned layer.</summary>
    public bool Told(KinTold input)
    {
        if (!_telling.Remove(input.Tell))
            return false;
        _isUntold |= !input.Outcome.IsOk;
        if (_telling.Count > 0)
            return true;
        if (_isUntold)
            (_isBusy, _againMs) = (false, state.Now.MonotonicMs + RetryMs);
        else
            StrikeOff();
        return true;
    }

    // The intent stands until all of them know: that it does not stand any more means that nobody else is to be known.
    private void TellHomes()
    {
        var intent = state.Record.Intent!;
        _isUntold = false;
        foreach (var pin in intent.Pins)
            _telling.Add(new(pin.Layer.Home, new Unpin(state.Layer.Id.Home, pin.Stamp, pin.Layer.Number, intent.UsersOf(pin.Layer).ToRanges())));
        foreach (var tell in _telling)
            state.Effects.Add(tell);
        if (_telling.Count == 0)
            StrikeOff();
    }

    public void EndAll(Outcome outcome)
    {
        if (_call is { } call)
            queue.Settle(call, outcome, null, isDurable: false);
        _call = null;
    }

    private const int RetryMs = 500;

    private LayerId NextTop => new(state.Layer.Id.Home, state.Layer.Id.Number + 1);

    private ulong NextSeq => state.Record.Intent!.NextSeq;

    // What was cut off once is not shown again: the windows end where the frozen layer ceases to see them. One that shows nothing any more stays: its home counts this
    // VMO among those that look through it, and is told at the end.
    private Below BelowNext => new(state.Layer.Id.Number, [.. state.Layer.Below.Bases.Select(item => item.Until(state.Layer.Low))]);

    private void WriteNextTop()
    {
        var layer = state.Layer;
        queue.EnqueueStep(new(CommitTarget.Layer, "next-top", state.Now)
        {
            IsInternal = true,
            IsIdempotent = true,
            Build = () => new()
            {
                Vmo = layer.Id.Home,
                Owner = state.Owner,
                Target = CommitTarget.Layer,
                Layer = NextTop,
                Seq = NextSeq - 1,
                IsNew = true,
                IsStructure = true,
                IsRelease = true,
                Fields = [.. LayerHead.NewFields(layer.Size, layer.ContentSize, layer.Size / Limits.PageBytes, BelowNext, [], layer.LineageOver), .. layer.Ring.ToFields()],
            },
            Applied = Freeze,
        });
    }

    private void Freeze()
    {
        var layer = state.Layer;
        queue.EnqueueStep(new(CommitTarget.Layer, "freeze", state.Now)
        {
            IsInternal = true,
            Build = () => new()
            {
                Vmo = layer.Id.Home,
                Owner = state.Owner,
                Target = CommitTarget.Layer,
                Layer = layer.Id,
                Seq = layer.Seq,
                IsStructure = true,
                IsRelease = true,
                // With the blobs that are still to be unlinked: whoever removes the layer must know of them.
                Fields =
                [
                    new(FieldNames.Frozen, "1"u8.ToArray()), new(FieldNames.Next, VmoRecord.Number(NextTop.Number)),
                    new(FieldNames.Garbage, LayerHead.EncodeBlobs(layer.Dead)),
                ],
            },
            Applied = () =>
            {
                var next = LayerHead.New(NextTop, NextSeq, layer.Size, layer.ContentSize, layer.Size / Limits.PageBytes, BelowNext, [], layer.LineageOver, state.Memory.Budget, layer.Ring);
                if (layer.Dead.Count > 0)
                    state.Effects.Add(new UnlinkBlobs(layer.Id, [.. layer.Dead]));
                layer.Map.Clear();
                state.Layer = next;
                _isBusy = false;
                frozen();
                Advance();
            },
        });
    }

    private void StrikeOff() => queue.EnqueueStep(new(CommitTarget.Record, "born", state.Now)
    {
        IsInternal = true,
        Build = () => new()
        {
            Vmo = state.Layer.Id.Home,
            Owner = state.Owner,
            Target = CommitTarget.Record,
            Layer = state.Layer.Id,
            Seq = state.Record.Seq,
            IsStructure = true,
            IsRelease = true,
            Fields =
            [
                new(FieldNames.Intent, Array.Empty<byte>()),
                new(FieldNames.Top, VmoRecord.Number(state.Layer.Id.Number)),
                new(FieldNames.Event, Events.Encode(state.Record.Seq + 1, "born=1")),
            ],
        },
        Applied = () =>
        {
            state.Record.Seq++;
            state.Record.Intent = null;
            state.Record.Top = state.Layer.Id;
            _isBusy = false;
            if (_call is { } call)
                queue.Settle(call, Outcome.Ok, _reply, isDurable: true);
            _call = null;
        },
    });
}
