using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Store;
using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>Who names whom in a long line, and what a cold read makes of it.</summary>
public sealed class LineageTests
{
    private const int Page = Limits.PageBytes;

    [Theory]
    [InlineData(1, 0)]
    [InlineData(40, 3)]
    [InlineData(3000, 0)]
    public void A_line_of_any_length_is_known_after_as_many_steps_as_its_length_has_digits(int koidStep, ulong offset)
    {
        var lines = Lines(5000, koidStep, offset);
        foreach (var depth in new[] { 1, 2, 8, 9, 63, 64, 65, 511, 513, 1000, 4095, 4096, 4097, 5000 })
        {
            // Everybody that is known names others, and the next one.
            HashSet<int> known = [depth];
            var steps = 0;
            for (; known.Count < depth + 1; steps++)
            {
                foreach (var one in known.Where(one => one > 0).ToArray())
                {
                    known.Add(one - 1);
                    foreach (var ancestor in lines[one].Ancestors)
                        known.Add((int)(ancestor.Layer.Home.Value - 1) / koidStep);
                }
            }

            // Where koids lie far apart or offsets are named, too, not all fit that should be named; it is a multiple then, and not another order.
            var digits = (int)Math.Ceiling(Math.Log(depth + 1, 8));
            Assert.True(steps <= (koidStep == 1 ? digits + 1 : 4 * (digits + 1)), $"{steps} steps for {depth}");
        }
    }

    [Fact]
    public void Each_names_only_ancestors_of_its_own_with_their_places_and_offsets_in_few_bytes()
    {
        var lines = Lines(2000, 5, 3);
        for (var depth = 0; depth < lines.Count; depth++)
        {
            var stored = lines[depth].Encode();
            Assert.True(stored.Length <= Lineage.BytesMax, $"{stored.Length} bytes at {depth}");
            var read = Lineage.Decode(stored);
            Assert.Equal(lines[depth].Ancestors, read.Ancestors);
            Assert.True(depth < 2 || read.Depth == depth, $"depth {read.Depth} at {depth}, {stored.Length} bytes");
            foreach (var (place, ancestor) in read.Places.Zip(read.Ancestors))
            {
                Assert.InRange(place, 0, depth - 2);
                Assert.Equal(new Ancestor(Layer(place, 5), 3 * (ulong)(depth - place)), ancestor);
            }
        }
    }

    [Fact]
    public void A_damaged_lineage_is_an_error_to_who_looks_and_says_nothing_to_who_takes_hints()
    {
        var stored = Lines(1000, 5, 0)[999].Encode();
        foreach (var value in new[] { [9, 1, 1], stored[..^1], [1, 200], [1, 0, 2, 2], [1, 2, 2, 2, 2, 2, 2, 2], [.. stored, 1] })
        {
            Assert.Throws<InvalidDataException>(() => Lineage.Decode(value));
            Assert.Empty(Lineage.Hint(value).Ancestors);
        }
    }

    [Fact]
    public void A_cold_chain_of_a_thousand_snapshots_is_loaded_in_six_rounds_and_hardly_more_than_once()
    {
        var family = new SimFamily(1);
        var chain = Chain(family, 1000);
        var (shown, rounds, loads) = Cold(family, chain[^1]);
        Assert.Equal(new(chain[0].Koid, 1), shown[128].Layer);
        Assert.InRange(rounds, 1, 6);
        Assert.InRange(loads, 1000, 1010);

        // What is decided near the top asks few in vain.
        var whole = new byte[32 * Page];
        whole.AsSpan().Fill(9);
        for (var page = 0ul; page < Limits.ExtentPages; page += 32)
            Assert.Equal(Outcome.Ok, family.Write(chain[^1], page * Page, whole));
        Assert.Equal(VmoStatus.Ok, family.Clone(chain[^1], 1, Snapshot).Outcome.Status);
        family.Settle();
        (_, rounds, loads) = Cold(family, chain[^1]);
        Assert.Equal((1, 1), (rounds, loads));
    }

    [Fact]
    public void A_cold_view_through_hundreds_of_live_ancestors_takes_a_few_rounds_and_shows_what_they_show()
    {
        var family = new SimFamily(5);
        var root = family.CreateRoot(1 << 20);
        Assert.Equal(Outcome.Ok, family.Write(root, 128 * Page, [1]));
        var last = root;
        for (var level = 1; level <= 300; level++)
        {
            var (outcome, _, handles) = family.Clone(last, 1, new CloneSpec { Kind = VmoKind.Live, Size = 1 << 20 });
            Assert.True(outcome.IsOk, outcome.Message);
            last = handles[0];
            Assert.Equal(Outcome.Ok, family.Write(last, (ulong)(1 + (level % 60)) * Page, [(byte)(level | 1)]));
        }

        family.Settle();
        for (var silo = 0; silo < 3; silo++)
            family.Crash(silo);
        family.Settle();
        family.LiveRounds.Clear();
        Assert.Equal(1, family.Read(last, 128 * Page, 1).Data[0]);
        Assert.Equal(299 - 256, family.Read(last, 60 * Page, 1).Data[0]);
        Assert.InRange(family.LiveRounds.Max(), 2, 6);
        Assert.Equal(Outcome.Ok, family.Write(root, 128 * Page, [2]));
        Assert.Equal(2, family.Read(last, 128 * Page, 1).Data[0]);
    }

    [Fact]
    public void What_a_sibling_has_loaded_is_not_loaded_again()
    {
        var family = new SimFamily(2);
        var chain = Chain(family, 200);
        var maps = new SimMaps();
        family.Store.Resolve(FrozenOf(family, chain[150]), 0, maps);
        var before = family.Store.LayersLoaded;
        family.Store.Resolve(FrozenOf(family, chain[^1]), 0, maps);
        Assert.InRange(family.Store.LayersLoaded - before, 1, 51 + 64);
    }

    [Fact]
    public void Hints_that_are_wrong_stale_or_damaged_change_nothing_that_is_shown()
    {
        var family = new SimFamily(3);
        var chain = Chain(family, 100);
        var (right, _, _) = Cold(family, chain[^1]);
        var random = new Random(3);
        var others = chain.Select(vmo => new LayerId(vmo.Koid, 1)).Append(new(new(77), 9)).ToArray();
        for (var round = 0; round < 50; round++)
        {
            // Each names somebody else, at whatever offset; or what nobody can read.
            foreach (var layer in family.Store.Layers.ToList())
            {
                var line = Lineage.None.Extended(new Ancestor(others[random.Next(others.Length)], (ulong)random.Next(3) * 100), 0);
                for (var more = random.Next(30); more > 0; more--)
                    line = line.Extended(new Ancestor(others[random.Next(others.Length)], (ulong)random.Next(3) * 100), (ulong)random.Next(300));
                var value = line.Encode();
                if (value.Length > 0 && random.Next(4) == 0)
                    value[random.Next(value.Length)] ^= (byte)(1 << random.Next(8));
                family.Store.Damage(layer, new(FieldNames.Lineage, value));
            }

            var (shown, _, _) = Cold(family, chain[^1]);
            for (var page = 0ul; page < Limits.ExtentPages; page++)
                Assert.Equal(right[page], shown[page]);
        }
    }

    [Fact]
    public void Children_of_one_shallow_parent_store_no_lineage_at_all()
    {
        var family = new SimFamily(4);
        var root = family.CreateRoot(1 << 20);
        Assert.True(family.Write(root, 0, new byte[] { 1 }).IsOk);
        var (_, _, children) = family.Clone(root, 20, Snapshot);
        foreach (var child in children)
            Assert.Empty(family.Store.LoadLayer(new(child.Koid, 1), [FieldNames.Lineage])!.Fields);
    }

    private static CloneSpec Snapshot => new() { Kind = VmoKind.Snapshot, Size = 1 << 20 };

    // A root, and snapshots of snapshots that each change a page.
    private static List<VmoHandle> Chain(SimFamily family, int depth)
    {
        var chain = new List<VmoHandle> { family.CreateRoot(1 << 20) };
        Assert.True(family.Write(chain[0], 128 * Page, [1]).IsOk);
        for (var level = 1; level <= depth; level++)
        {
            var (outcome, _, handles) = family.Clone(chain[^1], 1, Snapshot);
            Assert.True(outcome.IsOk, outcome.Message);
            chain.Add(handles[0]);
            Assert.True(family.Write(handles[0], (ulong)(1 + (level % 60)) * Page, [(byte)(level | 1)]).IsOk);
        }

        Assert.True(family.Clone(chain[^1], 1, Snapshot).Outcome.IsOk);
        family.Settle();
        return chain;
    }

    private static LayerId FrozenOf(SimFamily family, VmoHandle vmo)
    {
        var top = Record.VmoRecord.Decode(family.Store.LoadRecord(vmo.Koid)).Top;
        return new(vmo.Koid, Below.Decode(family.Store.LoadLayer(top, [FieldNames.Below])!.Fields[0].Value.Span).Under);
    }

    private static (FrozenExtent Shown, int Rounds, int Loads) Cold(SimFamily family, VmoHandle vmo)
    {
        var (rounds, loads) = (family.Store.Rounds, family.Store.LayersLoaded);
        var shown = family.Store.Resolve(FrozenOf(family, vmo), 0, new());
        return (shown, family.Store.Rounds - rounds, family.Store.LayersLoaded - loads);
    }

    private static LayerId Layer(int place, int koidStep) => new(new((ulong)((place * koidStep) + 1)), 1);

    private static List<Lineage> Lines(int count, int koidStep, ulong offset)
    {
        var lines = new List<Lineage> { Lineage.None };
        for (var depth = 1; depth <= count; depth++)
            lines.Add(lines[^1].Extended(depth == 1 ? null : new Ancestor(Layer(depth - 2, koidStep), offset), offset));
        return lines;
    }
}
