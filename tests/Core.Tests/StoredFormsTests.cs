using CsCheck;
using VmoCluster.Core.Contents;
using VmoCluster.Core.Encoding;
using VmoCluster.Core.Family;
using VmoCluster.Core.Handles;
using VmoCluster.Core.Machine;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Tests;

/// <summary>What is stored reads back as it was written; damage is told, never taken for something else.</summary>
public class StoredFormsTests
{
    private static readonly Gen<Slot> AnySlot = Gen.Select(Gen.Int[0, 3], Gen.ULong[1, 1 << 40], Gen.UInt, Gen.UInt[1, 1000], Gen.Byte[0, 62], Gen.UInt)
        .Select((state, version, nonce, counter, index, checksum) => (SlotState)state switch
        {
            SlotState.Absent => default,
            SlotState.Data when counter % 4 != 0 => new Slot(SlotState.Data, version % 8, new(nonce % 3 + 1, counter % 5 + 1), index, 63, checksum),
            var other => new Slot(other, version, BlobId.Zero, 0, 0, 0),
        });

    [Fact]
    public void A_leaf_reads_back_as_it_was_written() => AnySlot.Array[Limits.LeafPages].Sample(slots =>
    {
        var leaf = new Leaf();
        for (var i = 0; i < slots.Length; i++)
            leaf[i] = slots[i];
        var read = LeafCodec.Decode(LeafCodec.Encode(leaf)) ?? new Leaf();
        for (var i = 0; i < slots.Length; i++)
            Assert.Equal(slots[i], read[i]);
    });

    [Fact]
    public void A_leaf_cut_short_is_damage()
    {
        var leaf = new Leaf { [3] = new(SlotState.Data, 5, new(1, 1), 0, 1, 77), [9] = Slot.Through(6) };
        var bytes = LeafCodec.Encode(leaf);
        for (var length = 1; length < bytes.Length; length++)
            Assert.Throws<InvalidDataException>(() => LeafCodec.Decode(bytes.AsSpan(0, length)));
        bytes[0] = 9;
        Assert.Throws<InvalidDataException>(() => LeafCodec.Decode(bytes));
    }

    [Fact]
    public void A_handles_text_reads_back_and_any_wrong_character_is_found_out()
    {
        var handle = new VmoHandle(new(123456), HandleSecret.Create());
        var text = handle.Reveal();
        Assert.Equal(VmoHandle.TextLength, text.Length);
        Assert.True(VmoHandle.TryParse(text, out var read));
        Assert.Equal(handle, read);
        for (var i = 0; i < text.Length; i++)
        {
            var wrong = text.ToCharArray();
            wrong[i] = wrong[i] == 'a' ? 'b' : 'a';
            Assert.False(VmoHandle.TryParse(wrong, out _), $"character {i} changed");
        }

        Assert.DoesNotContain(text[20..], handle.ToString(), StringComparison.Ordinal);
        Assert.False(VmoHandle.TryParse(text.ToUpperInvariant(), out _));
        Assert.False(VmoHandle.TryParse(text + "a", out _));
    }

    [Fact]
    public void A_handle_entry_reads_back_with_and_without_its_range()
    {
        var entry = new HandleEntry(7, HandleSecret.Create().Hash(), VmoRights.Read | VmoRights.Wait, 3, 1_700_000_000_000, new(5, 10), 9, IsClosed: true);
        Assert.Equal(entry, HandleEntry.Decode(7, entry.Encode()));
        Assert.Equal(entry with { Range = null, IsClosed = false }, HandleEntry.Decode(7, (entry with { Range = null, IsClosed = false }).Encode()));
        Assert.Null(HandleEntry.Decode(7, []));
    }

    [Fact]
    public void Blobs_are_of_sizes_that_the_allocator_likes_and_waste_no_page()
    {
        for (var pages = 1; pages < 500; pages++)
        {
            var (left, blobs) = (pages, 0);
            for (; left > 0; left -= BlobSizes.Take(left))
                blobs++;
            Assert.Equal(0, left);
            Assert.Equal(blobs, BlobSizes.Count(pages));
            Assert.InRange(BlobSizes.Take(pages), 1, Limits.BlobPagesMax);
        }
    }

    [Fact]
    public void No_field_of_a_layer_but_its_leaves_is_named_as_leaves_are()
    {
        var names = VmoMachine.HeadNames.Concat(LayerSummary.Names).Append(FieldNames.Event).Append(FieldNames.Frozen).Select(name => System.Text.Encoding.Latin1.GetString(name.Span)).Distinct().ToArray();
        Assert.True(names.Length > 10);
        Assert.DoesNotContain(names, name => name.StartsWith('l'));
        Assert.True(FieldNames.Leaf(7).Span.StartsWith(FieldNames.LeafPrefix.Span));
    }
}
