using CsCheck;
using VmoCluster.Core.Family;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Record;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>A pinned layer stands until it is known what came of the pin, and no longer, whoever dies or forgets.</summary>
public class PinTests
{
    private const ulong Page = Limits.PageBytes;

    private readonly SimFamily _family = new(7);
    private readonly VmoHandle _home;
    private readonly VmoHandle _user;
    private readonly VmoHandle _asker;

    public PinTests()
    {
        _home = _family.CreateRoot(4 * Page);
        _asker = _family.CreateRoot(Page);
        Assert.Equal(Outcome.Ok, _family.Write(_home, 0, [1]));
        _user = Snapshot(_home);
    }

    [Fact]
    public void A_layer_is_pinned_only_for_those_of_a_user_or_as_the_highest_of_a_living_VMO()
    {
        Assert.Equal(VmoStatus.NotFound, Tell(Pin(1, via: _asker.Koid)).Status);
        Assert.Equal(VmoStatus.NotFound, Tell(Pin(2, via: _user.Koid)).Status);
        Assert.Equal(VmoStatus.NotFound, Tell(Pin(2, via: Koid.None)).Status);
        Assert.Equal(VmoStatus.NotFound, Tell(Pin(0, via: Koid.None)).Status);
        Assert.Equal(Outcome.Ok, Tell(Pin(1, via: Koid.None)));
        Assert.Equal(Outcome.Ok, _family.Close(_home));
        _family.RunSome(1000);
        Assert.Equal(VmoStatus.NotFound, Tell(Pin(1, via: Koid.None)).Status);
        Assert.Equal(Outcome.Ok, Tell(Pin(1, via: _user.Koid, stamp: 2)));
    }

    [Fact]
    public void A_pinned_layer_outlives_its_home_and_its_users_until_the_asker_knows_nothing_of_it()
    {
        Assert.Equal(Outcome.Ok, Tell(Pin(1, via: _user.Koid)));
        Assert.Equal(Outcome.Ok, _family.Close(_user));
        Assert.Equal(Outcome.Ok, _family.Close(_home));
        _family.RunSome(1000);
        Assert.Contains(new(_home.Koid, 1), _family.Store.Layers);
        Assert.Equal([_asker.Koid], Record(_home).Users[1].Koids);
        _family.Settle();
        Assert.Equal([_asker.Koid], _family.Store.Koids);
    }

    [Fact]
    public void Whoever_takes_the_home_over_asks_on()
    {
        Assert.Equal(Outcome.Ok, Tell(Pin(1, via: _user.Koid)));
        for (var silo = 0; silo < 3; silo++)
            _family.Crash(silo);
        Assert.NotEmpty(Record(_home).Pins.Entries);
        _family.Settle();
        Assert.Empty(Record(_home).Pins.Entries);
        Assert.Equal([_user.Koid], Record(_home).Users[1].Koids);
    }

    [Fact]
    public void A_pin_whose_asker_is_gone_comes_to_nothing()
    {
        Assert.Equal(Outcome.Ok, Tell(Pin(1, via: _user.Koid)));
        Assert.Equal(Outcome.Ok, _family.Close(_asker));
        _family.Settle();
        Assert.Empty(Record(_home).Pins.Entries);
        Assert.Equal([_user.Koid], Record(_home).Users[1].Koids);
    }

    [Fact]
    public void Those_kept_are_users_for_sure_and_the_others_are_none()
    {
        Assert.Equal(Outcome.Ok, Tell(new Pin(1, new(new(900), 5), _asker.Koid, _user.Koid, 1)));
        Assert.Equal(Outcome.Ok, Tell(new Unpin(_asker.Koid, 1, 0, [new(new(901), 1), new(new(903), 2), new(new(990), 1)])));
        Assert.Empty(Record(_home).Pins.Entries);
        Assert.Equal([_user.Koid.Value, 901, 903, 904], Record(_home).Users[1].Koids.Select(koid => koid.Value));
    }

    [Fact]
    public void A_newer_pin_takes_the_place_of_an_older_one_and_is_not_undone_by_it()
    {
        Assert.Equal(Outcome.Ok, Tell(Pin(1, via: _user.Koid, stamp: 1)));
        Assert.Equal(Outcome.Ok, Tell(Pin(1, via: _user.Koid, stamp: 2)));
        Assert.Equal(2ul, Assert.Single(Record(_home).Pins.Entries).Stamp);
        Assert.Equal(Outcome.Ok, Tell(new Unpin(_asker.Koid, 1, 0, [])));
        Assert.Contains(_asker.Koid, Record(_home).Users[1].Koids);
        Assert.Equal(Outcome.Ok, Tell(new Unpin(_asker.Koid, 2, 0, [])));
        Assert.Equal([_user.Koid], Record(_home).Users[1].Koids);
    }

    [Fact]
    public void Who_is_a_user_for_sure_stays_one_whatever_comes_of_a_pin()
    {
        Assert.Equal(Outcome.Ok, Tell(new Pin(1, new(_user.Koid, 1), _asker.Koid, _user.Koid, 1)));
        Assert.Empty(Record(_home).Pins.Entries);
        Assert.Equal(Outcome.Ok, Tell(Pin(1, via: _user.Koid, stamp: 3)));
        Assert.Equal(Outcome.Ok, Tell(new Pin(1, new(_asker.Koid, 1), _user.Koid, _user.Koid, 9)));
        Assert.Equal(Outcome.Ok, Tell(new Unpin(_asker.Koid, 3, 1, [new(_asker.Koid, 1)])));
        Assert.Empty(Record(_home).Pins.Entries);
        Assert.Equal(Outcome.Ok, Tell(new Unpin(_user.Koid, 9, 1, [])));
        Assert.Contains(_asker.Koid, Record(_home).Users[1].Koids);
    }

    [Fact]
    public void Who_looks_through_the_layer_says_so_and_is_kept()
    {
        // Its home was told that the user is gone, and then of a pin: what the user itself says decides.
        Assert.Equal(Outcome.Ok, Tell(Pin(1, via: _user.Koid)));
        Assert.Equal(Outcome.Ok, Tell(new UserGone(_user.Koid)));
        Assert.Equal(Outcome.Ok, Tell(new Pin(1, new(_user.Koid, 1), _user.Koid, _asker.Koid, 5)));
        Assert.Equal(2, Record(_home).Pins.Entries.Count);
        _family.Settle();
        Assert.Empty(Record(_home).Pins.Entries);
        Assert.Equal([_user.Koid], Record(_home).Users[1].Koids);
    }

    [Fact]
    public void A_user_that_is_gone_is_in_no_pin()
    {
        Assert.Equal(Outcome.Ok, Tell(new Pin(1, new(new(900), 2), _asker.Koid, _user.Koid, 1)));
        Assert.Equal(Outcome.Ok, Tell(new UserGone(new(900))));
        Assert.Equal([901ul], Assert.Single(Record(_home).Pins.Entries).Users.Koids.Select(koid => koid.Value));
        Assert.Equal(Outcome.Ok, Tell(new Unpin(_asker.Koid, 1, 0, [new(new(900), 2)])));
        Assert.Equal([_user.Koid.Value, 901], Record(_home).Users[1].Koids.Select(koid => koid.Value));
    }

    [Fact]
    public void Pins_read_back_as_they_were_written() =>
        Gen.Select(Gen.UInt[1, 9], Gen.ULong[1, 200], Gen.Int[1, 20], Gen.ULong[1, 9], Gen.ULong).Array[0, 8].Sample(parts =>
        {
            var pins = Pins.Of(parts.Select(part => new PinEntry(part.Item1, KoidSet.Empty.With(new(part.Item2), part.Item3), new(part.Item4), part.Item5)));
            var read = Pins.Decode(pins.Encode());
            Assert.Equal(pins.Entries.Select(Text), read.Entries.Select(Text));
        });

    [Fact]
    public void Sets_of_koids_are_sets() =>
        Gen.Select(Gen.Select(Gen.ULong[1, 60], Gen.Int[1, 9]).Array[0, 8], Gen.Select(Gen.ULong[1, 60], Gen.Int[1, 9]).Array[0, 8]).Sample((left, right) =>
        {
            var (one, other) = (Of(left), Of(right));
            var (all, others) = (one.Koids.ToHashSet(), other.Koids.ToHashSet());
            Assert.Equal(all.Except(others).Order(), one.Without(other).Koids);
            Assert.Equal(all.Intersect(others).Order(), one.Both(other).Koids);
            Assert.Equal(one.Koids, KoidSet.Of(one.ToRanges()).Koids);
            Assert.Equal(one.Without(other).Koids.Count(), one.Without(other).Count);
        });

    private static KoidSet Of((ulong First, int Count)[] ranges) => KoidSet.Of(ranges.Select(range => new KoidRange(new(range.First), range.Count)));

    private static string Text(PinEntry entry) => $"{entry.Layer} {string.Join(',', entry.Users.Koids)} {entry.Asker} {entry.Stamp}";

    private Pin Pin(uint layer, Koid via, ulong stamp = 1) => new(layer, new(_asker.Koid, 1), _asker.Koid, via, stamp);

    private Outcome Tell(KinMessage message) => _family.Ask<VmoReply>(_home.Koid, ticket => new KinInput(ticket, message)).Outcome;

    private VmoRecord Record(VmoHandle vmo) => VmoRecord.Decode(_family.Store.LoadRecord(vmo.Koid));

    private VmoHandle Snapshot(VmoHandle of)
    {
        var (outcome, _, handles) = _family.Clone(of, 1, new CloneSpec { Kind = VmoKind.Snapshot, Size = 4 * Page });
        Assert.Equal(Outcome.Ok, outcome);
        return handles[0];
    }
}
