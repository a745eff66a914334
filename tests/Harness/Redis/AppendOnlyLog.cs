namespace VmoCluster.Harness;

/// <summary>What a crash of the machine can do to the append-only file of a Redis that has stopped: its last bytes are not there.</summary>
public static class AppendOnlyLog
{
    /// <summary>
    /// Cuts the file it was appending to at a byte that the seed gives, so that a prefix survives. Throws if there is nothing to cut, or the
    /// server runs. With <c>aof-load-truncated yes</c>, Redis' default, it starts again with what is whole.
    /// </summary>
    /// <param name="keep">So many first bytes are kept in any case.</param>
    public static Truncation Truncate(RedisServer stopped, int seed, long keep = 0)
    {
        if (!stopped.HasExited)
            throw new InvalidOperationException($"Redis on port {stopped.Port} runs: stop it before its file is cut.");
        var file = FileOf(stopped);
        var before = new FileInfo(file).Length;
        if (before <= keep)
            throw new InvalidOperationException($"{file} has {before} bytes, of which {keep} are to be kept: nothing to cut.");
        var after = new Random(seed).NextInt64(keep, before);
        using var stream = File.OpenWrite(file);
        stream.SetLength(after);
        return new(before, after);
    }

    /// <summary>The bytes in it now.</summary>
    public static long LengthOf(RedisServer server) => new FileInfo(FileOf(server)).Length;

    // appendonly.aof.N.incr.aof; the one with the highest number is written to, and only in it may the end be missing.
    private static string FileOf(RedisServer server)
    {
        var folder = Path.Combine(server.Folder, "appendonlydir");
        var files = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.incr.aof") : [];
        return files.Length > 0
            ? files.MaxBy(file => int.Parse(file.Split('.')[^3], System.Globalization.CultureInfo.InvariantCulture))!
            : throw new InvalidOperationException($"No append-only file in {server.Folder}: Redis was started without appendonly yes.");
    }
}

/// <summary>What was cut off a file.</summary>
/// <param name="Before">Its bytes before.</param>
/// <param name="After">Its bytes now; less than before.</param>
public sealed record Truncation(long Before, long After);
