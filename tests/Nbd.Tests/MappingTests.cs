using System.Text;
using VmoCluster.NbdDoor;
using VmoCluster.NbdDoor.Disk;
using VmoCluster.NbdDoor.Serving;
using VmoCluster.NbdDoor.Wire;

namespace VmoCluster.Nbd.Tests;

/// <summary>The small parts: names, errors, extents, room.</summary>
public sealed class MappingTests
{
    private static readonly VmoHandle Handle = new(new(7), HandleSecret.Create());

    [Fact]
    public void Every_status_is_an_error_that_the_protocol_knows()
    {
        foreach (var status in Enum.GetValues<VmoStatus>())
        {
            var error = NbdErrors.Of(status);
            Assert.True(Enum.IsDefined(error), $"{status}: {error}");
            Assert.Equal(status == VmoStatus.Ok, error == NbdError.None);
            Assert.Equal(error == NbdError.Shutdown, NbdErrors.IsEnd(error));
        }

        Assert.Equal(
            [NbdError.Shutdown, NbdError.NotPermitted, NbdError.NoSpace, NbdError.Io, NbdError.Io, NbdError.Invalid],
            new[] { VmoStatus.BadHandle, VmoStatus.AccessDenied, VmoStatus.NoSpace, VmoStatus.DataLoss, VmoStatus.TimedOut, VmoStatus.OutOfRange }.Select(status => NbdErrors.Of(status)));
        Assert.Equal((NbdError.NoSpace, NbdError.NoSpace, NbdError.Invalid), (NbdErrors.Of(VmoStatus.OutOfRange, NbdCommand.Write), NbdErrors.Of(VmoStatus.OutOfRange, NbdCommand.WriteZeroes), NbdErrors.Of(VmoStatus.OutOfRange, NbdCommand.Trim)));
    }

    [Fact]
    public void A_name_is_a_handle_and_options_behind_it()
    {
        Assert.True(TryParse(Handle.Reveal(), out var plain));
        Assert.Equal((Handle, false), (plain.Handle, plain.IsReadOnly));
        Assert.True(TryParse(Handle.Reveal() + "?readonly", out var reader));
        Assert.Equal((Handle, true), (reader.Handle, reader.IsReadOnly));
    }

    [Theory]
    [InlineData("")]
    [InlineData("disk")]
    [InlineData("{0}?")]
    [InlineData("{0}?readonly&")]
    [InlineData("{0}?writable")]
    [InlineData("{0}?readonly?readonly")]
    [InlineData(" {0}")]
    [InlineData("{0}\n")]
    [InlineData("{0}\u00e9")]
    public void What_is_no_handle_or_has_an_unknown_option_is_no_name(string name) =>
        Assert.False(TryParse(name.Replace("{0}", Handle.Reveal(), StringComparison.Ordinal), out _));

    [Fact]
    public void A_name_of_more_bytes_than_names_have_is_none() => Assert.False(TryParse(Handle.Reveal() + "?" + new string('a', NbdNumbers.NameBytesMax), out _));

    [Fact]
    public void Stretches_are_cut_to_what_was_asked_for_and_what_lies_between_them_is_zeros()
    {
        var extents = new DiskExtents(1000, 20_000);
        extents.Add(new(new(0, 4096), IsZero: false, new(1)));
        extents.Add(new(new(4096, 4096), IsZero: false, new(1)));
        extents.Add(new(new(12_288, 4096), IsZero: true, new(2)));
        extents.Add(new(new(20_480, 8192), IsZero: false, new(3)));
        Assert.Equal(
            [new(7192, false, new(1)), new(4096, true, Koid.None), new(4096, true, new(2)), new(4096, true, Koid.None), new(520, false, new(3))], extents.ToEnd());
    }

    [Fact]
    public void Of_nothing_present_one_stretch_of_zeros_is_told() => Assert.Equal([new(5000, true, Koid.None)], new DiskExtents(77, 5000).ToEnd());

    [Fact]
    public async Task A_request_waits_for_room_and_one_larger_than_all_of_it_goes_alone()
    {
        var room = new RequestRoom(requestsMost: 3, bytesMost: 100, new(1 << 20, TimeProvider.System));
        await room.EnterAsync(60);
        var second = room.EnterAsync(60).AsTask();
        Assert.False(second.IsCompleted);
        room.Leave(60);
        await second;
        var large = room.EnterAsync(1000).AsTask();
        Assert.False(large.IsCompleted);
        room.Leave(60);
        await large;
        var third = room.EnterAsync(0).AsTask();
        Assert.False(third.IsCompleted);
        room.Leave(1000);
        await third;
        await room.EnterAsync(0);
        await room.EnterAsync(0);
        var fourth = room.EnterAsync(0).AsTask();
        Assert.False(fourth.IsCompleted);
        room.Leave(0);
        await fourth;
        var empty = room.EmptyAsync();
        room.Leave(0);
        room.Leave(0);
        Assert.False(empty.IsCompleted);
        room.Leave(0);
        await empty;
    }

    // A place that is given to one who waits no more would be taken for ever.
    [Fact]
    public async Task Who_stops_waiting_for_room_takes_none()
    {
        var room = new RequestRoom(requestsMost: 2, bytesMost: 100, new(1 << 20, TimeProvider.System));
        await room.EnterAsync(100);
        using var impatience = new CancellationTokenSource();
        var waiting = room.EnterAsync(50, impatience.Token).AsTask();
        var (empty, again) = (room.EmptyAsync(), room.EmptyAsync());
        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.False(empty.IsCompleted);
        room.Leave(100);
        await empty;
        await again;
        await room.EnterAsync(100);
        room.Leave(100);
        await room.EmptyAsync();
    }

    private static bool TryParse(string name, out ExportName export) => ExportName.TryParse(Encoding.UTF8.GetBytes(name), out export);
}
