using VmoCluster.Core.Store;

namespace VmoCluster.Core.Family;

/// <summary>
/// What VMOs are charged. A VMO pays for the bytes of its own top layer, and a layer's bytes are split evenly over those who look through it
/// directly, the remainder to the lowest koid: the VMOs elsewhere that its home knows, and its home itself while a layer stands above it. A
/// layer's bytes are its own and its share of what lies under it; what lies under a whole stack is paid by the stack's bottom. So every byte
/// of a frozen layer is charged to somebody, once.
/// It is told of records and heads as they are asked for, level by level, and keeps no stack: a deep family is a long list.
/// </summary>
public sealed class FamilyBooks
{
    private readonly Dictionary<Koid, FamilyMember?> _members = [];
    private readonly Dictionary<LayerId, LayerSummary?> _layers = [];
    private readonly Dictionary<LayerId, ulong> _totals = [];
    private readonly HashSet<Koid> _neededMembers = [];
    private readonly HashSet<LayerId> _neededLayers = [];
    private readonly HashSet<Koid> _asked = [];

    /// <summary>VMOs to be taken next.</summary>
    public IReadOnlyCollection<Koid> NeededMembers => _neededMembers;

    /// <summary>Layers to be taken next. When neither is left, the books answer.</summary>
    public IReadOnlyCollection<LayerId> NeededLayers => _neededLayers;

    /// <summary>A VMO whose charge is wanted.</summary>
    public void Ask(Koid koid)
    {
        if (!_asked.Add(koid))
            return;
        if (_members.GetValueOrDefault(koid) is { } member)
            Follow(member);
        else
            NeedMember(koid);
    }

    /// <summary>A VMO as it is stored; null if it is gone.</summary>
    public void Take(Koid koid, FamilyMember? member)
    {
        _neededMembers.Remove(koid);
        _members[koid] = member;
        if (member is null)
            return;
        _layers[member.Top.Id] = member.Top;
        if (_asked.Contains(koid) || member.Record.State != Record.VmoState.Alive)
            Follow(member);
    }

    /// <summary>A layer as it is stored; null if it is gone.</summary>
    public void Take(LayerId id, LayerSummary? layer)
    {
        _neededLayers.Remove(id);
        _layers[id] = layer;
        if (layer is not null)
            Follow(layer);
    }

    /// <summary>The VMO as the books know it; null if it is gone.</summary>
    public FamilyMember? Find(Koid koid) => _members.GetValueOrDefault(koid);

    /// <summary>Bytes charged to a VMO that was asked for.</summary>
    public ulong ChargedTo(Koid koid) => _members.GetValueOrDefault(koid) is { IsDying: false } member ? TotalOf(member.Top.Id) : 0;

    /// <summary>
    /// Bytes that go when the VMO is destroyed: its top, the frozen layers that only it looked through, and what closed ancestors keep for it
    /// alone.
    /// </summary>
    public ulong FreedWith(Koid koid) => new Freeing(this).Of(koid);

    /// <summary>How a number of a layer's bytes is split over its direct users, by koid; those who pay nothing are left out.</summary>
    public IReadOnlyList<(Koid User, ulong Bytes)> Split(LayerId layer, ulong bytes)
    {
        var shares = new List<(Koid, ulong)>();
        var (users, isHome) = UsersOf(layer);
        var all = isHome ? users.With(layer.Home, 1) : users;
        foreach (var user in all.Koids)
        {
            // All who come after pay as little.
            if (ShareOf(layer, user, bytes) is not (> 0 and var share))
                break;
            shares.Add((user, share));
        }

        return shares;
    }

    private void NeedMember(Koid koid)
    {
        if (!koid.IsNone && !_members.ContainsKey(koid))
            _neededMembers.Add(koid);
    }

    // What it looks through; and who waits for its end, if that is all that keeps them.
    private void Follow(FamilyMember member)
    {
        Follow(member.Top);
        // While it takes over what a closed ancestor held, its stack may look past what its top names already.
        foreach (var item in member.Top.Below.Bases)
        {
            if (!_layers.ContainsKey(item.Layer))
                _neededLayers.Add(item.Layer);
        }

        NeedMember(member.Record.Meta.Parent);
    }

    private void Follow(LayerSummary layer)
    {
        foreach (var below in layer.LooksThrough)
        {
            if (!_layers.ContainsKey(below))
                _neededLayers.Add(below);
            NeedMember(below.Home);
        }
    }

    private (KoidSet Users, bool IsHome) UsersOf(LayerId layer) => _members.GetValueOrDefault(layer.Home) is { } home
        ? (home.Record.Users.GetValueOrDefault(layer.Number, KoidSet.Empty), home.Uses(layer.Number))
        : (KoidSet.Empty, false);

    private ulong ShareOf(LayerId layer, Koid user, ulong bytes)
    {
        var (users, isHome) = UsersOf(layer);
        var count = (ulong)users.Count + (isHome ? 1ul : 0);
        // Nobody knows of it yet, or any more: whoever asks is all there is.
        if (count == 0)
            return bytes;
        var lowest = isHome && (users.IsEmpty || layer.Home < users.First) ? layer.Home : users.First;
        return (bytes / count) + (user == lowest ? bytes % count : 0);
    }

    private ulong TotalOf(LayerId wanted)
    {
        var open = new Stack<LayerId>([wanted]);
        var begun = new HashSet<LayerId>();
        while (open.TryPeek(out var id))
        {
            if (_totals.ContainsKey(id))
            {
                open.Pop();
                continue;
            }

            var layer = _layers.GetValueOrDefault(id);
            var under = layer?.LooksThrough.ToArray() ?? [];
            // The second time, all that lies under it is known; only damage makes a ring, and it ends here.
            if (begun.Add(id) && under.Any(below => !_totals.ContainsKey(below)))
            {
                foreach (var below in under.Where(below => !begun.Contains(below)))
                    open.Push(below);
                continue;
            }

            open.Pop();
            var total = layer?.StoredBytes ?? 0;
            foreach (var below in under)
                total += ShareOf(below, id.Home, _totals.GetValueOrDefault(below));
            _totals[id] = total;
        }

        return _totals[wanted];
    }

    /// <summary>Plays the end of a VMO through, without its deeds.</summary>
    private sealed class Freeing(FamilyBooks books)
    {
        private readonly Dictionary<Koid, uint> _frozen = [];
        private readonly HashSet<Koid> _gone = [];
        private readonly HashSet<(LayerId Layer, Koid User)> _released = [];
        private readonly Queue<Koid> _ending = [];
        private ulong _freed;

        public ulong Of(Koid koid)
        {
            if (books._members.GetValueOrDefault(koid) is not { IsDying: false })
                return 0;
            _ending.Enqueue(koid);
            while (_ending.TryDequeue(out var next))
            {
                if (books._members.GetValueOrDefault(next) is { } member && !_gone.Contains(next))
                    GoOn(member);
            }

            return _freed;
        }

        private void GoOn(FamilyMember member)
        {
            if (member.Record.Children.Followers.Koids.Any(child => !_gone.Contains(child)))
                return;
            if (!_frozen.TryGetValue(member.Koid, out var frozen))
            {
                frozen = member.Top.Below.Under;
                _freed += member.IsDying ? 0 : member.Top.StoredBytes;
            }

            while (frozen != 0 && books._layers.GetValueOrDefault(new(member.Koid, frozen)) is { } layer && IsFree(member, layer.Id))
            {
                _freed += layer.StoredBytes;
                frozen = layer.Below.Under;
            }

            _frozen[member.Koid] = frozen;
            if (frozen != 0)
                return;
            foreach (var layer in member.Top.Below.Bases.Select(item => item.Layer).Distinct())
                LetGo(member.Koid, layer);
            if (member.Record.Children.Snapshots.Koids.Any(child => !_gone.Contains(child)))
                return;
            _gone.Add(member.Koid);
            EndIfClosed(member.Record.Meta.Parent);
        }

        // What it had taken over goes with it, and looks through others in its place.
        private void LetGo(Koid user, LayerId layer)
        {
            if (layer.Home != user)
            {
                if (_released.Add((layer, user)))
                    EndIfClosed(layer.Home);
                return;
            }

            if (books._layers.GetValueOrDefault(layer) is not { } absorbed)
                return;
            _freed += absorbed.StoredBytes;
            foreach (var far in absorbed.LooksThrough)
                LetGo(user, far);
        }

        private bool IsFree(FamilyMember home, LayerId layer) =>
            home.Record.Users.GetValueOrDefault(layer.Number, KoidSet.Empty).Koids.All(user => _released.Contains((layer, user)));

        private void EndIfClosed(Koid koid)
        {
            if (books._members.GetValueOrDefault(koid)?.Record.State is Record.VmoState.Dying or Record.VmoState.Ghost)
                _ending.Enqueue(koid);
        }
    }
}
