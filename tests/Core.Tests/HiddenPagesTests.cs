using VmoCluster.Core.Tests.Sim;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests;

/// <summary>A clone made with <c>--zero</c> never shows those pages of its parent, whatever is done to it (CLI.md): what is secret does not travel into a fork.</summary>
public class HiddenPagesTests
{
    private const ulong Page = Limits.PageBytes;
    private const int Pages = 600;
    private const byte Secret = 99;

    private readonly SimFamily _family = new(1);
    private readonly VmoHandle _parent;

    public HiddenPagesTests()
    {
        _parent = _family.CreateRoot(Pages * Page);
        for (var page = 0; page < Pages; page += 20)
            Write(_parent, (ulong)page, 20, Secret);
    }

    private void Write(VmoHandle vmo, ulong page, int count, byte fill) => Assert.Equal(Outcome.Ok, _family.Write(vmo, page * Page, [.. Enumerable.Repeat(fill, count * (int)Page)]));

    private byte Read(VmoHandle vmo, ulong page)
    {
        var (outcome, data) = _family.Read(vmo, page * Page, 1);
        Assert.Equal(Outcome.Ok, outcome);
        return data[0];
    }

    private void Decommit(VmoHandle vmo, ulong page, ulong count) => Assert.Equal(Outcome.Ok, _family.Op(vmo, VmoOp.Decommit, page * Page, count * Page));

    private VmoHandle Clone(VmoHandle vmo, VmoKind kind, params ByteRange[] zero)
    {
        var (outcome, _, handles) = _family.Clone(vmo, 1, new CloneSpec { Kind = kind, Size = Pages * Page, Zero = zero });
        Assert.Equal(Outcome.Ok, outcome);
        return handles[0];
    }

    private void AssertHidden(VmoHandle vmo, ulong first, ulong count)
    {
        for (var page = first; page < first + count; page++)
            Assert.True(Read(vmo, page) == 0, $"page {page} shows {Read(vmo, page)}");
        Assert.Equal(Secret, Read(vmo, first - 1));
        Assert.Equal(Secret, Read(vmo, first + count));
    }

    [Theory]
    [InlineData(VmoKind.Snapshot, false)]
    [InlineData(VmoKind.Snapshot, true)]
    [InlineData(VmoKind.Live, false)]
    [InlineData(VmoKind.Live, true)]
    public void What_a_clone_must_not_show_it_does_not_show_after_a_decommit_either(VmoKind kind, bool hasOwnStack)
    {
        // Read through an operation on few pages, and one on many, which lays a run.
        var clone = Clone(_parent, kind, new(2 * Page, 3 * Page), new(200 * Page, 50 * Page));
        Write(clone, 3, 1, 1);
        Write(clone, 210, 20, 1);
        if (hasOwnStack)
            Clone(clone, VmoKind.Snapshot);
        Decommit(clone, 1, 10);
        AssertHidden(clone, 2, 3);
        Decommit(clone, 0, Pages);
        AssertHidden(clone, 2, 3);
        AssertHidden(clone, 200, 50);
        _family.Settle();
        AssertHidden(clone, 200, 50);
    }

    [Theory]
    [InlineData(VmoKind.Snapshot)]
    [InlineData(VmoKind.Live)]
    public void Nor_when_it_shrinks_and_grows_again(VmoKind kind)
    {
        var clone = Clone(_parent, kind, new ByteRange(200 * Page, 50 * Page));
        Assert.Equal(Outcome.Ok, _family.SetSize(clone, 220 * Page));
        Assert.Equal(Outcome.Ok, _family.SetSize(clone, Pages * Page));
        for (var page = 200ul; page < 250; page++)
            Assert.Equal(0, Read(clone, page));
        Assert.Equal(Secret, Read(clone, 199));
        Assert.Equal(kind == VmoKind.Live ? Secret : 0, Read(clone, 250));
    }

    [Fact]
    public void Nor_do_clones_of_the_clone_when_what_they_wrote_is_decommitted()
    {
        var clone = Clone(_parent, VmoKind.Snapshot, new ByteRange(2 * Page, 3 * Page));
        foreach (var kind in new[] { VmoKind.Snapshot, VmoKind.Live })
        {
            var child = Clone(clone, kind);
            Write(child, 0, 10, 5);
            Decommit(child, 0, 10);
            AssertHidden(child, 2, 3);
        }
    }
}
