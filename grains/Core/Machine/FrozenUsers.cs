using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>
/// Who looks through a VMO's frozen layers, as a batch changes it: users for sure, and pinned ones, of whom it is not known yet. A layer stands
/// as long as it has either. Nothing of the record changes until <see cref="Publish"/>.
/// </summary>
internal sealed class FrozenUsers(VmoRecord record)
{
    private readonly Dictionary<uint, KoidSet> _changed = [];

    /// <summary>The pins as they will be.</summary>
    public Pins Pins { get; private set; } = record.Pins;

    /// <summary>Whether users were added by pins: others will rely on it.</summary>
    public bool HasPinned { get; private set; }

    /// <summary>The users of a layer, sure or not.</summary>
    public KoidSet Of(uint layer) => _changed.TryGetValue(layer, out var changed) ? changed : record.Users.GetValueOrDefault(layer, KoidSet.Empty);

    /// <summary>A user for sure.</summary>
    public void Add(uint layer, Koid user) => _changed[layer] = Of(layer).With(user, 1);

    /// <summary>A VMO looks through nothing here any more, whatever was to come of its pins.</summary>
    public void End(Koid user)
    {
        foreach (var layer in record.Users.Keys.Concat(_changed.Keys).Distinct().ToArray())
        {
            if (Of(layer) is var users && users.Contains(user))
                _changed[layer] = users.Without(user);
        }

        if (Pins.Entries.Any(entry => entry.Users.Contains(user)))
            Pins = Pins.Of(Pins.Entries.Select(entry => entry with { Users = entry.Users.Without(user) }));
    }

    /// <summary>Users that may come to nothing; those who are sure stay so.</summary>
    /// <param name="pin">Who and where.</param>
    /// <param name="isMove">Older pins of the same users go, in whatever layer; else only those in the same one.</param>
    public void Pin(Pin pin, bool isMove)
    {
        var asked = KoidSet.Of([pin.Users]);
        foreach (var old in Pins.Entries.Where(entry =>
            entry.Asker == pin.Asker && entry.Stamp < pin.Stamp && (isMove || entry.Layer == pin.Layer) && entry.Users.Without(asked).IsEmpty).ToArray())
        {
            Strike(old, KoidSet.Empty);
        }

        var known = Pins.UsersOf(pin.Layer);
        var unsure = asked.Without(Of(pin.Layer).Without(known));
        var same = Pins.Entries.FirstOrDefault(entry => entry.Key == (pin.Layer, pin.Asker, pin.Stamp));
        if (unsure.IsEmpty || same?.Users.Without(unsure).IsEmpty == true && unsure.Without(same.Users).IsEmpty)
            return;
        HasPinned = true;
        _changed[pin.Layer] = Of(pin.Layer).With(unsure);
        Pins = Pins.Of([.. Pins.Entries.Where(entry => entry != same), new PinEntry(pin.Layer, unsure.With(same?.Users ?? KoidSet.Empty), pin.Asker, pin.Stamp)]);
    }

    /// <summary>It is known what came of a pin.</summary>
    public void Unpin(Unpin unpin)
    {
        var kept = KoidSet.Of(unpin.Kept);
        foreach (var entry in Pins.Entries.Where(entry => entry.Asker == unpin.Asker && entry.Stamp == unpin.Stamp && (unpin.Layer == 0 || entry.Layer == unpin.Layer)).ToArray())
            Strike(entry, kept);
    }

    public void AddFields(List<StoreField> fields)
    {
        foreach (var (layer, users) in _changed)
            fields.Add(new(FieldNames.Users(layer), VmoRecord.EncodeUsers(users)));
        if (!ReferenceEquals(Pins, record.Pins))
            fields.Add(new(FieldNames.Pins, Pins.Encode()));
    }

    public void Publish()
    {
        foreach (var (layer, users) in _changed)
        {
            if (users.IsEmpty)
                record.Users.Remove(layer);
            else
                record.Users[layer] = users;
        }

        record.Pins = Pins;
    }

    // Those kept are sure from now on, in every entry; the others stay only where another entry has them.
    private void Strike(PinEntry entry, KoidSet kept)
    {
        var sure = entry.Users.Both(kept);
        Pins = Pins.Of(Pins.Entries.Where(other => other.Key != entry.Key).Select(other => other.Layer == entry.Layer ? other with { Users = other.Users.Without(sure) } : other));
        var gone = entry.Users.Without(kept).Without(Pins.UsersOf(entry.Layer));
        if (!gone.IsEmpty)
            _changed[entry.Layer] = Of(entry.Layer).Without(gone);
    }
}
