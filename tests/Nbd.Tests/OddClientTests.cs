using VmoCluster.Client;

namespace VmoCluster.Nbd.Tests;

/// <summary>Clients that ask for what there is not, by libnbd with its own checks off: what each is told, and that the connection goes on.</summary>
public sealed class OddClientTests(DiskNode node) : IClassFixture<DiskNode>
{
    // try_it gives the errno's name, or "ok".
    private const string Prelude = """
        import errno, sys, nbd
        h = nbd.NBD()
        h.set_strict_mode(0)
        h.add_meta_context("base:allocation")
        h.connect_uri(sys.argv[1])
        size = h.get_size()
        def try_it(what):
            try:
                what()
                return "ok"
            except nbd.Error as e:
                return e.errno
        def expect(name, what, wanted):
            got = try_it(what)
            if got != wanted:
                sys.exit(f"{name}: {got}, not {wanted}")
        """;

    [Fact]
    public async Task What_lies_outside_the_disk_is_refused_by_the_errors_of_the_protocol()
    {
        var vmo = await node.Client.CreateAsync(1 << 20);
        await RunAsync(vmo, """
            expect("read past the end", lambda: h.pread(4096, size - 2048), "EINVAL")
            expect("read far away", lambda: h.pread(1, 2**63), "EINVAL")
            expect("write past the end", lambda: h.pwrite(b"x" * 4096, size - 2048), "ENOSPC")
            expect("trim past the end", lambda: h.trim(4096, size), "EINVAL")
            expect("zero past the end", lambda: h.zero(4096, size), "ENOSPC")
            expect("read of nothing", lambda: h.pread(0, 0), "EINVAL")
            expect("last byte", lambda: h.pread(1, size - 1), "ok")
            expect("unaligned", lambda: h.pwrite(b"abc", 4095), "ok")
            if h.pread(5, 4094) != b"\0abc\0":
                sys.exit("the unaligned bytes are not there")
            """);
    }

    [Fact]
    public async Task Flags_that_a_command_does_not_have_are_refused()
    {
        var vmo = await node.Client.CreateAsync(1 << 20);
        await RunAsync(vmo, """
            expect("read with NO_HOLE", lambda: h.pread(512, 0, nbd.CMD_FLAG_NO_HOLE), "EINVAL")
            expect("write with DF", lambda: h.pwrite(b"x" * 512, 0, nbd.CMD_FLAG_DF), "EINVAL")
            expect("read with DF", lambda: h.pread(512, 0, nbd.CMD_FLAG_DF), "ok")
            expect("zero, fast and without holes", lambda: h.zero(4096, 4096, nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_NO_HOLE), "ok")
            expect("zero a part of a page, fast", lambda: h.zero(512, 0, nbd.CMD_FLAG_FAST_ZERO), "ENOTSUP")
            expect("write through", lambda: h.pwrite(b"x" * 512, 0, nbd.CMD_FLAG_FUA), "ok")
            expect("cache", lambda: h.cache(1 << 20, 0), "ok")
            expect("trim through", lambda: h.trim(4096, 0, nbd.CMD_FLAG_FUA), "ok")
            expect("zero through", lambda: h.zero(4096, 0, nbd.CMD_FLAG_FUA), "ok")
            expect("flush", lambda: h.flush(), "ok")
            """);
    }

    // The protocol has an error for a read that is too long; what follows a write of which one byte is too many, nobody can tell.
    [Fact]
    public async Task A_read_of_more_than_a_payload_is_EOVERFLOW_and_such_a_write_ends_the_connection()
    {
        var vmo = await node.Client.CreateAsync(64 << 20);
        await RunAsync(vmo, """
            expect("long read", lambda: h.pread(33 << 20, 0), "EOVERFLOW")
            expect("the longest read", lambda: h.pread(32 << 20, 0), "ok")
            expect("the longest write", lambda: h.pwrite(b"x" * (32 << 20), 0), "ok")
            if try_it(lambda: h.pwrite(b"y" * (33 << 20), 0)) == "ok":
                sys.exit("a long write is done")
            if try_it(lambda: h.pread(512, 0)) == "ok":
                sys.exit("it goes on")
            h = nbd.NBD()
            h.connect_uri(sys.argv[1])
            if h.pread(512, (33 << 20) - 512) != bytes(512) or h.pread(512, 0) != b"x" * 512:
                sys.exit("something of the long write is there")
            """);
    }

    [Fact]
    public async Task A_read_only_disk_refuses_what_would_change_it()
    {
        var vmo = await node.Client.CreateAsync(1 << 20);
        await RunAsync(await vmo.DuplicateAsync(VmoRights.Read), """
            expect("write", lambda: h.pwrite(b"x", 0), "EPERM")
            expect("trim", lambda: h.trim(512, 0), "EPERM")
            expect("zero", lambda: h.zero(512, 0), "EPERM")
            expect("read", lambda: h.pread(512, 0), "ok")
            """);
    }

    [Fact]
    public async Task Status_of_one_stretch_is_one_and_ends_where_it_was_asked_to()
    {
        var vmo = await node.Client.CreateAsync(1 << 20);
        await vmo.WriteAsync(8192, new byte[] { 1 });
        await RunAsync(vmo, """
            def extents(count, offset, flags=0):
                found = []
                h.block_status(count, offset, lambda context, at, entries, error: found.extend(entries), flags)
                return list(zip(found[0::2], found[1::2]))
            whole = extents(size, 0)
            if whole != [(8192, 3), (4096, 0), (size - 12288, 3)]:
                sys.exit(f"the whole: {whole}")
            one = extents(10000, 100, nbd.CMD_FLAG_REQ_ONE)
            if one != [(8092, 3)]:
                sys.exit(f"one: {one}")
            """);
    }

    [Fact]
    public async Task A_handle_that_is_revoked_under_a_connection_ends_it()
    {
        var vmo = await node.Client.CreateAsync(1 << 20);
        var given = await vmo.DuplicateAsync(VmoRights.Read | VmoRights.Write);
        var go = node.File("go");
        var running = RunAsync(given, $"""
            import os, time
            expect("before", lambda: h.pread(512, 0), "ok")
            open({Quoted(go)} + ".ready", "w").close()
            while not os.path.exists({Quoted(go)}):
                time.sleep(0.05)
            expect("after", lambda: h.pread(512, 0), "ESHUTDOWN")
            if try_it(lambda: h.pread(512, 0)) == "ok":
                sys.exit("it goes on")
            """);
        while (!File.Exists(go + ".ready") && !running.IsCompleted)
            await Task.Delay(50);
        await given.RevokeAsync();
        await File.WriteAllTextAsync(go, "");
        await running;
    }

    private static string Quoted(string text) => $"'{text}'";

    private async Task RunAsync(Vmo vmo, string script) => await Peer.RunAsync("/usr/bin/python3", ["-c", $"{Prelude}\n{script}", node.Uri(vmo)]);
}
