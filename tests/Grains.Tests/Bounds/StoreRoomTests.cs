namespace VmoCluster.Grains.Tests.Bounds;

public sealed class StoreRoomTests
{
    [Fact]
    public async Task No_more_requests_are_inside_than_there_is_room_for_and_the_first_that_waits_is_next()
    {
        var room = new StoreRoom(2, 1000);
        await room.EnterAsync(1);
        await room.EnterAsync(1);
        var third = room.EnterAsync(1);
        var fourth = room.EnterAsync(1);
        Assert.Equal((2, 2), (room.Inside, room.Waiting));
        room.Leave(1);
        await third;
        Assert.False(fourth.IsCompleted);
        room.Leave(1);
        await fourth;
        Assert.Equal((2, 0), (room.Inside, room.Waiting));
    }

    [Fact]
    public async Task No_more_bytes_are_inside_than_there_is_room_for_and_nobody_passes_a_large_one_that_waits()
    {
        var room = new StoreRoom(100, 1000);
        await room.EnterAsync(600);
        var large = room.EnterAsync(500);
        var small = room.EnterAsync(1);
        Assert.False(large.IsCompleted);
        Assert.False(small.IsCompleted);
        room.Leave(600);
        await large;
        await small;
    }

    [Fact]
    public async Task What_is_larger_than_all_the_room_goes_alone()
    {
        var room = new StoreRoom(100, 1000);
        await room.EnterAsync(5000);
        var next = room.EnterAsync(1);
        Assert.False(next.IsCompleted);
        room.Leave(5000);
        await next;
    }

    [Fact]
    public async Task Many_at_once_from_many_threads_are_never_more_than_the_room_and_all_come_in()
    {
        var room = new StoreRoom(3, 100);
        var (inside, most) = (0, 0);
        await Task.WhenAll(Enumerable.Range(0, 2000).Select(i => Task.Run(async () =>
        {
            await room.EnterAsync(i % 40);
            var now = Interlocked.Increment(ref inside);
            InterlockedMax(ref most, now);
            await Task.Yield();
            Interlocked.Decrement(ref inside);
            room.Leave(i % 40);
        })));
        Assert.InRange(most, 2, 3);
        Assert.Equal((0, 0), (room.Inside, room.Waiting));
    }

    private static void InterlockedMax(ref int place, int value)
    {
        for (var seen = Volatile.Read(ref place); value > seen; seen = Volatile.Read(ref place))
        {
            if (Interlocked.CompareExchange(ref place, value, seen) == seen)
                return;
        }
    }
}
