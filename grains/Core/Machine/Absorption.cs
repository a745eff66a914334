using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// Takes what a closed ancestor holds for this VMO alone into a layer of its own, so that chains of clones whose parents are closed do not grow. The
/// absorbed layer lies where the ancestor's did: under the own stack, so that a decommit still reveals it. It is made empty, over the windows of the
/// VMO; every layer of the own stack is turned to look through it; then it is filled with what shows through it from the ancestor, and in the end one
/// commit lets it look past the ancestor. None of this changes what any page shows. Before that commit the VMO pins the layers that the ancestor
/// looked through; after it, it tells the ancestor that it has left.
/// </summary>
/// <param name="state">The VMO.</param>
/// <param name="queue">Where its steps go.</param>
/// <param name="source">The ancestor's layer.</param>
/// <param name="pagesMost">Pages of the ancestor above which it is left as it is.</param>
/// <param name="stamp">Of the pins.</param>
/// <param name="ended">Told once how it ended.</param>
internal sealed class Absorption(MachineState state, ChangeQueue queue, LayerId source, ulong pagesMost, ulong stamp, Action<FoldEnd> ended)
{
    /// <summary>Extents that a run of the ancestor may cover: each of their pages becomes a slot.</summary>
    private const ulong RunExtentsMax = 64;

    private readonly List<LayerSummary> _chain = [];
    private readonly SortedSet<ulong> _extents = [];
    private readonly Queue<BaseRef> _toPin = [];
    private List<BaseRef> _foreign = [];
    private ulong _low = ulong.MaxValue;
    private BaseRef _window;
    private bool _isHeld;
    private LayerCopy? _copy;
    private TellKin? _tell;
    private Action? _told;

    /// <summary>Of the pins it asks for.</summary>
    public ulong Stamp => stamp;

    /// <summary>The absorbed layer as it is now; null: not yet looked at.</summary>
    public LayerSummary? Absorbed => _copy?.Into;

    private Koid Me => state.Layer.Id.Home;

    private LayerId Id => new(Me, LayerId.AbsorbedNumber);

    /// <summary>Begins, or goes on where an owner before ended.</summary>
    public void Begin() => FindWidest(state.Layer.Below, state.Layer.Below.Under);

    /// <summary>An owner before has looked past the source already, and may not have told.</summary>
    public void Leave(LayerSummary absorbed)
    {
        _copy = new(state, queue, absorbed, ended);
        Leave();
    }

    /// <summary>True: it was told for this.</summary>
    public bool Told(KinTold input)
    {
        if (!ReferenceEquals(input.Tell, _tell))
            return false;
        _tell = null;
        if (!HasFailed(input.Outcome))
            _told!();
        return true;
    }

    /// <summary>Goes on if it waits for a clone call to come to its end.</summary>
    public void Resume()
    {
        if (_isHeld)
            Turn();
    }

    // The oldest layer of the stack sees most: later ones may have been cut.
    private void FindWidest(Below below, uint number)
    {
        if (number == 0)
        {
            if (below.Bases.Any(item => item.Layer == Id))
                Turn();
            else
                Make(below.Bases);
            return;
        }

        Load(new(Me, number), found => FindWidest(found.Below, found.Below.Under));
    }

    private void Make(IReadOnlyList<BaseRef> windows) => queue.EnqueueStep(new(CommitTarget.Layer, "absorb", state.Now)
    {
        IsInternal = true,
        IsIdempotent = true,
        Build = () => new()
        {
            Vmo = Me,
            Owner = state.Owner,
            Target = CommitTarget.Layer,
            Layer = Id,
            Seq = 0,
            IsNew = true,
            // It looks where the stack looks, and names about the same ancestors.
            Fields = [.. LayerHead.NewFields(0, 0, ulong.MaxValue, new(0, windows), [], state.Layer.Lineage), new(FieldNames.Frozen, "1"u8.ToArray())],
        },
        Applied = Turn,
        Failed = () => ended(FoldEnd.Failed),
    });

    // The top first: what is frozen later looks through the absorbed layer from the beginning.
    private void Turn()
    {
        if (IsStopped())
            return;
        // A top that is about to be written already looks where this one does: it comes first.
        _isHeld = state.Record.Intent is not null;
        if (_isHeld)
            return;
        if (IsTurned(state.Layer.Below))
        {
            Turn(state.Layer.Below.Under);
            return;
        }

        queue.EnqueueStep(new(CommitTarget.Layer, "absorb", state.Now)
        {
            IsInternal = true,
            Build = () => CommitOf(state.Layer.Id, state.Layer.Seq, Turned(state.Layer.Below)),
            Applied = () =>
            {
                state.Layer.Seq++;
                state.Layer.Below = Turned(state.Layer.Below);
                Turn();
            },
            Failed = () => ended(FoldEnd.Failed),
        });
    }

    private void Turn(uint number)
    {
        if (number == 0)
        {
            Load(Id, Open);
            return;
        }

        Load(new(Me, number), found =>
        {
            if (IsTurned(found.Below))
            {
                Turn(found.Below.Under);
                return;
            }

            var seq = found.Seq;
            queue.EnqueueStep(new(CommitTarget.Layer, "absorb", state.Now)
            {
                IsInternal = true,
                Build = () => CommitOf(found.Id, seq, Turned(found.Below)),
                SeqMoved = moved => seq = moved,
                Applied = () =>
                {
                    if (!IsStopped())
                        Turn(found.Below.Under);
                },
                Failed = () => ended(FoldEnd.Failed),
            });
        });
    }

    private bool IsTurned(Below below) => below.Bases.All(item => item.Layer == Id);

    // All windows of a layer end at one page of the VMO if they were cut, so one limit does for all of them.
    private Below Turned(Below below) => IsTurned(below) ? below : below with { Bases = [new(Id, 0, below.Bases.Max(item => item.Limit - item.Offset))] };

    private StoreCommit CommitOf(LayerId layer, ulong seq, Below below) => new()
    {
        Vmo = Me,
        Owner = state.Owner,
        Target = CommitTarget.Layer,
        Layer = layer,
        Seq = seq,
        IsStructure = true,
        IsRelease = true,
        Fields = [new(FieldNames.Below, below.Encode()), new(FieldNames.Event, Events.Encode(seq + 1, "absorb=1"))],
    };

    private void Open(LayerSummary absorbed)
    {
        _copy = new(state, queue, absorbed, ended);
        _window = absorbed.Below.Bases is [var first, ..] ? first : default;
        if (_window.Layer != source)
            ended(FoldEnd.Whole);
        else
            Look(source.Number);
    }

    // The ancestor's stack from the layer down, and what it has absorbed itself.
    private void Look(uint number) => Load(new(source.Home, number), found =>
    {
        _chain.Add(found);
        if (found.Id.IsAbsorbed)
        {
            Weigh();
            return;
        }

        _low = Math.Min(_low, found.Low);
        if (found.Below.Under != 0)
            Look(found.Below.Under);
        else if (_chain[0].Below.Bases.Any(item => item.Layer.Home == source.Home))
            Look(LayerId.AbsorbedNumber);
        else
            Weigh();
    });

    private void Weigh()
    {
        var runs = _chain.SelectMany(layer => layer.Runs).Where(run => !run.IsClearing).ToList();
        if (_chain.Aggregate(0ul, (sum, layer) => sum + layer.Counts.Stored) > pagesMost || runs.Exists(run => run.Range.Count > RunExtentsMax * Limits.ExtentPages))
        {
            ended(FoldEnd.Unfit);
            return;
        }

        foreach (var run in runs)
        {
            for (var extent = run.Range.First.Value / Limits.ExtentPages; extent <= (run.Range.End.Value - 1) / Limits.ExtentPages; extent++)
                _extents.Add(extent);
        }

        _foreign = Foreign();
        foreach (var item in _foreign.DistinctBy(item => item.Layer))
            _toPin.Enqueue(item);
        Pin();
    }

    // What the ancestor looks through in its turn, directly or through what it has absorbed, as far as it shows within the window; in pages of this VMO.
    private List<BaseRef> Foreign()
    {
        var foreign = new List<BaseRef>();
        foreach (var item in _chain[0].Below.Bases)
        {
            if (item.Layer.Home != source.Home)
                foreign.Add(item.Until(_low));
            else
                foreign.AddRange(_chain[^1].Below.Bases.Select(far => far.Until(Math.Min(_low, item.Limit))));
        }

        return [.. foreign.Select(item => item.Until(_window.Limit))
            .Where(item => _window.Offset + item.Offset >= item.Offset && _window.Offset + item.Offset < item.Limit)
            .Select(item => item with { Offset = _window.Offset + item.Offset })];
    }

    private void Pin()
    {
        if (_toPin.TryDequeue(out var next))
            Tell(next.Layer.Home, new Pin(next.Layer.Number, new(Me, 1), Me, source.Home, stamp), Pin);
        else
            Scan(0);
    }

    // Which extents the ancestor's leaves lie in.
    private void Scan(int at)
    {
        if (at == _chain.Count)
        {
            _copy!.Begin(NextExtent);
            return;
        }

        state.Effects.Add(new ScanLeaves(_chain[at].Id)
        {
            Then = (fields, outcome) =>
            {
                if (HasFailed(outcome))
                    return;
                foreach (var field in fields)
                {
                    if (FieldNames.TryReadLeaf(field.Name.Span, out var leaf))
                        _extents.Add(leaf / Limits.ExtentLeaves);
                }

                Scan(at + 1);
            },
        });
    }

    private void NextExtent()
    {
        if (_extents.Count == 0)
        {
            LookPast();
            return;
        }

        var extent = _extents.Min;
        _extents.Remove(extent);
        Walk(extent, new(source, extent), []);
    }

    // Not out of what is in memory: that may still say of a page that another VMO holds it, which the ancestor has absorbed since.
    private void Walk(ulong extent, FrozenWalk walk, List<(FrozenPart? Part, FrozenExtent? Known)> found)
    {
        if (walk.Needs.Count == 0)
        {
            Take(extent, walk.Compose());
            return;
        }

        if (found.Count == walk.Needs.Count)
        {
            walk.Take(found);
            Walk(extent, walk, []);
            return;
        }

        var (layer, at) = walk.Needs[found.Count];
        if (layer.Home != source.Home)
        {
            // It stays where it is, and is looked through.
            found.Add((null, FrozenExtent.Empty));
            Walk(extent, walk, found);
            return;
        }

        state.Effects.Add(new LoadFields(layer, FrozenPart.NamesOf(at))
        {
            Then = (stored, outcome) =>
            {
                if (HasFailed(outcome))
                    return;
                if (stored is null)
                {
                    ended(FoldEnd.Failed);
                    return;
                }

                found.Add((FrozenPart.Decode(layer, at, stored), null));
                Walk(extent, walk, found);
            },
        });
    }

    private void Take(ulong extent, FrozenExtent extentShown)
    {
        var leaves = new SortedDictionary<ulong, Shown[]>();
        for (var i = 0ul; i < Limits.ExtentPages; i++)
        {
            var there = (extent * Limits.ExtentPages) + i;
            if (there < _window.Offset || there >= _window.Limit || extentShown[there] is not { IsNothing: false } shown)
                continue;
            var page = there - _window.Offset;
            if (!leaves.TryGetValue(Leaf.Of(page), out var leaf))
                leaves.Add(Leaf.Of(page), leaf = new Shown[Limits.LeafPages]);
            // Whether zeros were committed is the ancestor's affair.
            leaf[Leaf.IndexOf(page)] = shown.IsStored ? shown : new(shown.Layer, Slot.Zero(1));
        }

        foreach (var (number, leaf) in leaves)
            _copy!.Add(number, leaf);
        _copy!.Run(NextExtent);
    }

    // What the ancestor looked through takes its place. From here on the ancestor must be told, whatever happens to this owner.
    private void LookPast()
    {
        var below = new Below(0, [.. _foreign, .. _copy!.Into.Below.Bases.Skip(1)]);
        _copy.Commit(
            (fields, _) =>
            {
                fields.Add(new(FieldNames.Below, below.Encode()));
                fields.Add(new(FieldNames.Left, LayerHead.EncodeLayer(source)));
            },
            _copy.Into.Counts,
            () =>
            {
                _copy.Change(into => into with { Below = below, Left = source });
                _copy.Clean();
                Leave();
            },
            isStructure: true);
    }

    // What is in memory of the ancestor is true for ever, but its blobs go now.
    private void Leave()
    {
        foreach (var layer in _chain)
            state.Sight.Forget(GoneBlob.AllOf(layer.Id));
        state.Sight.Forget(GoneBlob.AllOf(source));
        foreach (var home in _foreign.Select(item => item.Layer.Home).Distinct())
            state.Effects.Add(new TellKin(home, new Unpin(Me, stamp, 0, [new(Me, 1)])));
        Tell(source.Home, new UserGone(Me), () => _copy!.Commit(
            (fields, _) => fields.Add(new(FieldNames.Left, Array.Empty<byte>())), _copy.Into.Counts, () => ended(FoldEnd.Whole)));
    }

    private void Tell(Koid target, KinMessage message, Action then)
    {
        (_tell, _told) = (new TellKin(target, message), then);
        state.Effects.Add(_tell);
    }

    private void Load(LayerId layer, Action<LayerSummary> then) => state.Effects.Add(new LoadFields(layer, LayerSummary.Names)
    {
        Then = (found, outcome) =>
        {
            if (HasFailed(outcome))
                return;
            if (found is null)
                ended(FoldEnd.Failed);
            else
                then(LayerSummary.Decode(layer, found));
        },
    });

    private bool IsStopped()
    {
        if (state.Record.State != VmoState.Dying)
            return false;
        ended(FoldEnd.Failed);
        return true;
    }

    private bool HasFailed(Outcome outcome)
    {
        if (outcome.IsOk)
            return IsStopped();
        ended(FoldEnd.Failed);
        return true;
    }
}
